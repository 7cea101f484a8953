-- The session that a recovery code opened: a code that takes its place is issued there, once.

ALTER TABLE recovery_codes ADD COLUMN used_in BYTEA;
