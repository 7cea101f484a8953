-- Keys of creations that are done once.

CREATE TABLE idempotency (
    -- A user or an API client.
    caller BYTEA NOT NULL,
    -- SHA-256 of the key, and of the request that it came with first.
    key BYTEA NOT NULL,
    request BYTEA NOT NULL,
    at BIGINT NOT NULL,
    -- The answer, sealed; NULL until there is one.
    answer BYTEA,
    PRIMARY KEY (caller, key)
);

CREATE INDEX idempotency_age ON idempotency (caller, at);
