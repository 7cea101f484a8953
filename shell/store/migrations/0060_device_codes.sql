-- Programs that are let in by a code which their person types (RFC 8628), where the tenant allows it.
ALTER TABLE tenants ADD COLUMN device_codes BIGINT NOT NULL DEFAULT 0;

-- Programs that wait, whoever asked. Codes are here as hashes alone; that of the person's is keyed.
CREATE TABLE device_codes (
    code BYTEA PRIMARY KEY,
    user_code BYTEA NOT NULL UNIQUE,
    -- The key that asked: nobody else gets an answer.
    jkt BYTEA NOT NULL,
    program TEXT NOT NULL,
    address TEXT NOT NULL,
    -- What requests are counted by: of an address of IPv6 its first half.
    network TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    asked BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    interval_secs BIGINT NOT NULL,
    last_poll BIGINT,
    -- 'waiting', 'yes', 'no' or 'spent'.
    answered TEXT NOT NULL,
    -- Who said yes, in which session and when, and the session that will be.
    tenant BYTEA REFERENCES tenants (id),
    user_id BYTEA REFERENCES users (id),
    approver BYTEA,
    session BYTEA,
    answered_at BIGINT
);

CREATE INDEX device_codes_expires ON device_codes (expires);

-- Wrong codes, of a person or of a network.
CREATE TABLE device_code_guesses (
    who TEXT PRIMARY KEY,
    guesses BIGINT NOT NULL,
    since BIGINT NOT NULL
);
