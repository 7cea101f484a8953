-- People: roles with scopes, invitations, the policy of factors, mail and notices.

-- A tenant's own roles. Capabilities are words, separated by spaces.
CREATE TABLE roles (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    capabilities TEXT NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (tenant, name)
);

CREATE TABLE assignments (
    user_id BYTEA NOT NULL REFERENCES users (id),
    -- A built-in role's word, or a custom role's id as text.
    role TEXT NOT NULL,
    custom BYTEA REFERENCES roles (id),
    -- tenant, customer or site
    scope_kind TEXT NOT NULL,
    scope BYTEA NOT NULL,
    PRIMARY KEY (user_id, role, scope)
);

CREATE INDEX assignments_custom ON assignments (custom);

INSERT INTO assignments (user_id, role, scope_kind, scope) SELECT id, role, 'tenant', tenant FROM users;

ALTER TABLE users DROP COLUMN role;

-- Whether an administrator requires a factor of this very account.
ALTER TABLE users ADD COLUMN mfa_required BIGINT NOT NULL DEFAULT 0;

-- When the account ends by itself.
ALTER TABLE users ADD COLUMN expires BIGINT;

ALTER TABLE users ADD COLUMN last_sign_in BIGINT;

-- Who must have a factor: all, admins or roles (words, separated by spaces).
ALTER TABLE tenants ADD COLUMN mfa_who TEXT NOT NULL DEFAULT 'all';

ALTER TABLE tenants ADD COLUMN mfa_roles TEXT NOT NULL DEFAULT '';

ALTER TABLE tenants ADD COLUMN mfa_deadline BIGINT;

ALTER TABLE tenants ADD COLUMN factorless BIGINT NOT NULL DEFAULT 0;

ALTER TABLE tenants ADD COLUMN session_idle_secs BIGINT NOT NULL DEFAULT 3600;

ALTER TABLE tenants ADD COLUMN session_lifetime_secs BIGINT NOT NULL DEFAULT 43200;

-- People who could be somebody's second person and lately no longer can: until then they still count where the tenant's two are counted.
CREATE TABLE former_seconds (
    user_id BYTEA PRIMARY KEY REFERENCES users (id),
    tenant BYTEA NOT NULL,
    until BIGINT NOT NULL
);

-- Links that were mailed or handed over: invitation, activation or not_me. One use each.
CREATE TABLE links (
    -- SHA-256 of the token.
    token BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    user_id BYTEA NOT NULL REFERENCES users (id),
    purpose TEXT NOT NULL,
    made_by TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);

CREATE INDEX links_user ON links (user_id, purpose);

-- Activations that were begun: the password that was chosen and the authenticator that waits for its first code.
CREATE TABLE activation_drafts (
    token BYTEA PRIMARY KEY,
    link BYTEA NOT NULL,
    user_id BYTEA NOT NULL REFERENCES users (id),
    salt BYTEA,
    hash BYTEA,
    memory_kib BIGINT,
    passes BIGINT,
    lanes BIGINT,
    factor BYTEA NOT NULL,
    totp_sealed BYTEA NOT NULL,
    failures BIGINT NOT NULL,
    created BIGINT NOT NULL
);

CREATE INDEX activation_drafts_user ON activation_drafts (user_id);

-- Resets of an administrator's factor that wait for a day.
CREATE TABLE held_resets (
    user_id BYTEA PRIMARY KEY REFERENCES users (id),
    tenant BYTEA NOT NULL,
    asked_by BYTEA NOT NULL,
    asked_by_name TEXT NOT NULL,
    created BIGINT NOT NULL,
    until BIGINT NOT NULL
);

CREATE TABLE mails (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- The text, sealed with the master key, for it has links; gone once it is sent or given up.
    sealed BYTEA,
    -- waiting, sent or failed
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt BIGINT NOT NULL,
    error TEXT,
    queued BIGINT NOT NULL,
    sent BIGINT
);

CREATE INDEX mails_waiting ON mails (state, next_attempt);

CREATE INDEX mails_tenant ON mails (tenant, id);

-- Up to which entry of its log a tenant's people were told.
CREATE TABLE notice_marks (
    tenant BYTEA PRIMARY KEY,
    idx BIGINT NOT NULL
);
