-- Tenants, people, what they sign in with, and their sessions.

CREATE TABLE tenants (
    id BYTEA PRIMARY KEY,
    name TEXT NOT NULL,
    step_up_secs BIGINT NOT NULL,
    created BIGINT NOT NULL,
    version BIGINT NOT NULL
);

-- Roots of trust as the authority signed them, every version.
CREATE TABLE trust_roots (
    tenant BYTEA NOT NULL REFERENCES tenants (id),
    version BIGINT NOT NULL,
    envelope BYTEA NOT NULL,
    PRIMARY KEY (tenant, version)
);

-- The server's secret keys of a tenant, sealed with the master key, which is not in this database.
CREATE TABLE server_keys (
    tenant BYTEA PRIMARY KEY REFERENCES tenants (id),
    sealed BYTEA NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE users (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL REFERENCES tenants (id),
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    state TEXT NOT NULL,
    -- Whether they said that their recovery codes are kept.
    codes_kept BIGINT NOT NULL,
    created BIGINT NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (tenant, email)
);

CREATE INDEX users_email ON users (email);

-- Argon2id with its own cost, so that it can be raised at the next sign-in.
CREATE TABLE passwords (
    user_id BYTEA PRIMARY KEY REFERENCES users (id),
    salt BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    memory_kib BIGINT NOT NULL,
    passes BIGINT NOT NULL,
    lanes BIGINT NOT NULL,
    changed BIGINT NOT NULL
);

-- kind totp: secret sealed with the master key; kind recovery: the counter of all recovery codes.
CREATE TABLE factors (
    id BYTEA PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed BYTEA,
    -- The time step of the last accepted code: only later ones are accepted.
    last_step BIGINT,
    -- Charged attempts since the last success.
    failures BIGINT NOT NULL,
    locked_at BIGINT,
    last_used BIGINT,
    created BIGINT NOT NULL
);

CREATE INDEX factors_user ON factors (user_id, kind);

CREATE TABLE recovery_codes (
    user_id BYTEA NOT NULL REFERENCES users (id),
    -- HMAC-SHA-256 under the pepper.
    hash BYTEA NOT NULL,
    used_at BIGINT,
    created BIGINT NOT NULL,
    PRIMARY KEY (user_id, hash)
);

CREATE TABLE sessions (
    id BYTEA PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id),
    -- SHA-256 of the cookie's token; another one after each elevation.
    token BYTEA NOT NULL UNIQUE,
    -- RFC 7638 thumbprint of the browser's key.
    jkt BYTEA NOT NULL,
    stage TEXT NOT NULL,
    created BIGINT NOT NULL,
    last_active BIGINT NOT NULL,
    auth_time BIGINT NOT NULL,
    method TEXT NOT NULL,
    step_up_at BIGINT,
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    ended_at BIGINT
);

CREATE INDEX sessions_user ON sessions (user_id, ended_at, last_active);

CREATE INDEX sessions_source ON sessions (user_id, address);

-- Charged password attempts: per account and kind of source; strangers' names share a fixed number of rows.
CREATE TABLE password_attempts (
    subject BYTEA PRIMARY KEY,
    failures BIGINT NOT NULL,
    last BIGINT NOT NULL
);

-- Failed sign-ins that the audit log was not told of yet: per account, and one row for all names that are none.
CREATE TABLE failure_reports (
    subject BYTEA PRIMARY KEY,
    waiting BIGINT NOT NULL,
    last_report BIGINT
);

-- One row: the set-up, open until the first tenant exists, then closed for good.
CREATE TABLE setup (
    one BIGINT PRIMARY KEY,
    token BYTEA,
    closed_at BIGINT
);

CREATE TABLE setup_drafts (
    -- SHA-256 of the draft's token.
    token BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    tenant_name TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    salt BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    memory_kib BIGINT NOT NULL,
    passes BIGINT NOT NULL,
    lanes BIGINT NOT NULL,
    factor BYTEA NOT NULL,
    totp_sealed BYTEA NOT NULL,
    keys_sealed BYTEA NOT NULL,
    failures BIGINT NOT NULL,
    created BIGINT NOT NULL
);
