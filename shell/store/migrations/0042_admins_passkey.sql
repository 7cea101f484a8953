-- Whether those who manage others prove themselves by passkeys alone.

ALTER TABLE tenants ADD COLUMN admins_passkey BIGINT NOT NULL DEFAULT 0;
