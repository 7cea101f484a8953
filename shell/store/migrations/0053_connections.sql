-- Connections to other vendors' APIs. Their credentials stand in connection_secrets, sealed.

CREATE TABLE connections (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL REFERENCES tenants (id),
    -- Who proved its terms last, and is told what becomes of it.
    owner BYTEA NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    -- JSON: where it goes, what it allows, who may use it, how its credential is replaced.
    shape TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    stopped BIGINT,
    stopped_by TEXT,
    last_used BIGINT,
    last_refused BIGINT,
    -- Why, in a word.
    last_refusal TEXT,
    -- idle, ready, sent or answered
    rotation TEXT NOT NULL,
    rotation_due BIGINT,
    -- Not before this moment, after a failure.
    rotation_try BIGINT,
    rotation_attempts BIGINT NOT NULL,
    rotation_failure TEXT,
    rotated BIGINT,
    -- Until when whoever replaces it has it for itself, and how often it was taken.
    rotation_claim BIGINT,
    rotation_turn BIGINT NOT NULL,
    -- Of the terms.
    version BIGINT NOT NULL
);

CREATE INDEX connections_tenant ON connections (tenant, id);

CREATE INDEX connections_due ON connections (rotation_due);

CREATE TABLE connection_secrets (
    -- Random: part of the place that it is sealed for.
    id BYTEA PRIMARY KEY,
    connection BYTEA NOT NULL,
    -- asked (waits with its request), present or candidate
    state TEXT NOT NULL,
    request BYTEA,
    sealed BYTEA NOT NULL,
    created BIGINT NOT NULL
);

CREATE INDEX connection_secrets_connection ON connection_secrets (connection, state);

CREATE TABLE connection_calls (
    id BYTEA PRIMARY KEY,
    connection BYTEA NOT NULL REFERENCES connections (id),
    tenant BYTEA NOT NULL,
    -- The id of a user or an API client, and its name then.
    caller TEXT NOT NULL,
    caller_name TEXT NOT NULL,
    at BIGINT NOT NULL,
    -- The beginning of its minute: calls are summed up by it.
    minute BIGINT NOT NULL,
    method TEXT NOT NULL,
    -- Without the query.
    path TEXT NOT NULL,
    -- The rule that allowed it; NULL where none did.
    rule TEXT,
    -- The vendor's status, or why there is none; NULL while it is under way.
    outcome TEXT,
    -- When the audit log was told.
    logged BIGINT
);

CREATE INDEX connection_calls_connection ON connection_calls (connection, at);

CREATE INDEX connection_calls_logged ON connection_calls (logged, minute);
