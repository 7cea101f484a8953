-- Licences: what lets a tool's program in.

-- not_needed or needed
ALTER TABLE api_clients ADD COLUMN licence_rule TEXT NOT NULL DEFAULT 'not_needed';

-- The last time that a token was refused for want of a licence, why, from where, and when the audit log was last told of one.
ALTER TABLE api_clients ADD COLUMN refused BIGINT;
ALTER TABLE api_clients ADD COLUMN refused_why TEXT;
ALTER TABLE api_clients ADD COLUMN refused_address TEXT;
ALTER TABLE api_clients ADD COLUMN refused_logged BIGINT;

CREATE TABLE licences (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL REFERENCES tenants (id),
    client BYTEA NOT NULL REFERENCES api_clients (id),
    -- The signed file, and SHA-256 of what is signed.
    envelope TEXT NOT NULL,
    digest BYTEA NOT NULL,
    issued BIGINT NOT NULL,
    issued_by TEXT NOT NULL,
    expires BIGINT NOT NULL,
    revoked BIGINT,
    revoked_by TEXT,
    last_used BIGINT,
    last_host TEXT
);

CREATE INDEX licences_client ON licences (client, id);

-- The licence that a token stands on.
ALTER TABLE access_tokens ADD COLUMN licence BYTEA;
