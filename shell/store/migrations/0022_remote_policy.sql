-- What a tenant lays down for remote sessions, as JSON.

CREATE TABLE remote_policies (
    tenant BYTEA PRIMARY KEY,
    policy TEXT NOT NULL,
    version BIGINT NOT NULL
);
