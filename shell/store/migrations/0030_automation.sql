-- API clients: tools that work in somebody's name.

CREATE TABLE api_clients (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL REFERENCES tenants (id),
    -- In whose name it works: never above what they may do at that moment.
    owner BYTEA NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    -- Words and ranges with spaces between them.
    scopes TEXT NOT NULL,
    networks TEXT NOT NULL,
    -- daily or by_hand
    rotation TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    stopped BIGINT,
    -- by_person, rotation_missed or key_reused
    stopped_why TEXT,
    -- When its owner was told that its key is due.
    warned BIGINT,
    last_used BIGINT,
    last_address TEXT,
    -- When the audit log was last told of a use.
    last_logged BIGINT,
    version BIGINT NOT NULL
);

CREATE INDEX api_clients_tenant ON api_clients (tenant, id);

-- Public keys: the present one, and those that it replaced.
CREATE TABLE client_keys (
    client BYTEA NOT NULL REFERENCES api_clients (id),
    -- RFC 7638 thumbprint.
    jkt BYTEA NOT NULL,
    -- JSON Web Key.
    jwk TEXT NOT NULL,
    created BIGINT NOT NULL,
    -- Until when it works, once another one has taken its place.
    until BIGINT,
    PRIMARY KEY (client, jkt)
);

-- Assertions that were used, until they would have expired anyway.
CREATE TABLE client_assertions (
    id BYTEA PRIMARY KEY,
    expires BIGINT NOT NULL
);

CREATE INDEX client_assertions_expires ON client_assertions (expires);

CREATE TABLE access_tokens (
    -- SHA-256 of the token.
    token BYTEA PRIMARY KEY,
    client BYTEA NOT NULL REFERENCES api_clients (id),
    -- The key that it is bound to.
    jkt BYTEA NOT NULL,
    -- Words with spaces between them: the client's scopes, or fewer.
    scopes TEXT NOT NULL,
    issued BIGINT NOT NULL,
    last_used BIGINT NOT NULL,
    revoked BIGINT
);

CREATE INDEX access_tokens_client ON access_tokens (client, issued);

-- The API client that asked, where a request is not a person's.
ALTER TABLE requests ADD COLUMN client BYTEA;
