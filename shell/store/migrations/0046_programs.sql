-- Programs that sign in as a person.

-- What the program calls itself; null for browsers, and for who signed in with a password elsewhere.
ALTER TABLE sessions ADD COLUMN program TEXT;

-- Codes that let a program in, remembered after their use so that a second one is noticed.
CREATE TABLE program_codes (
    -- SHA-256 of the code.
    code BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL REFERENCES tenants (id),
    user_id BYTEA NOT NULL REFERENCES users (id),
    -- The session that said yes, and the one that will be.
    approver BYTEA NOT NULL,
    session BYTEA NOT NULL,
    program TEXT NOT NULL,
    -- Where the yes was said.
    address TEXT NOT NULL,
    -- The key that the program announced, the hash of its verifier, and where the code was sent.
    jkt BYTEA NOT NULL,
    challenge BYTEA NOT NULL,
    redirect TEXT NOT NULL,
    issued BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    spent BIGINT,
    reused BIGINT
);

CREATE INDEX program_codes_user ON program_codes (user_id, expires);
