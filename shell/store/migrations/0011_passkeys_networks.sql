-- Passkeys, several authenticators, networks and addresses, device-bound sessions.

-- From when a factor counts for guarded actions, where that is later than its enrolment.
ALTER TABLE factors ADD COLUMN counts_from BIGINT;

-- A factor of kind passkey.
CREATE TABLE passkeys (
    factor BYTEA PRIMARY KEY REFERENCES factors (id),
    credential BYTEA NOT NULL UNIQUE,
    -- The public key as COSE, verbatim.
    cose BYTEA NOT NULL,
    sign_count BIGINT NOT NULL,
    -- Whether its maker's cloud may copy it, and whether it did.
    synced BIGINT NOT NULL,
    backed_up BIGINT NOT NULL,
    -- Words, separated by spaces.
    transports TEXT NOT NULL,
    aaguid BYTEA NOT NULL
);

-- Challenges that were answered, until they expire by themselves.
CREATE TABLE spent_challenges (
    challenge BYTEA PRIMARY KEY,
    expires BIGINT NOT NULL
);

CREATE INDEX spent_challenges_expires ON spent_challenges (expires);

-- An authenticator that waits for its first code: one for each user, good in the session that began it.
CREATE TABLE totp_drafts (
    user_id BYTEA PRIMARY KEY REFERENCES users (id),
    token BYTEA NOT NULL,
    session BYTEA NOT NULL,
    factor BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    failures BIGINT NOT NULL,
    created BIGINT NOT NULL
);

-- When a session's address left the allowed networks; it waits for a factor since.
ALTER TABLE sessions ADD COLUMN challenged_at BIGINT;

-- A tenant's rules about addresses, as JSON.
CREATE TABLE network_policies (
    tenant BYTEA PRIMARY KEY REFERENCES tenants (id),
    policy TEXT NOT NULL,
    version BIGINT NOT NULL
);

CREATE TABLE approved_addresses (
    user_id BYTEA NOT NULL REFERENCES users (id),
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    approved BIGINT NOT NULL,
    last_used BIGINT,
    PRIMARY KEY (user_id, address)
);

-- Mailed links that approve an address.
CREATE TABLE address_links (
    token BYTEA PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id),
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    asked BIGINT NOT NULL,
    expires BIGINT NOT NULL
);

CREATE INDEX address_links_user ON address_links (user_id, asked);

-- Users whose addresses are not verified until a time.
CREATE TABLE address_pauses (
    user_id BYTEA PRIMARY KEY REFERENCES users (id),
    until BIGINT NOT NULL
);

-- Device Bound Session Credentials: the key that a browser keeps in hardware for a session.
CREATE TABLE device_bindings (
    session BYTEA PRIMARY KEY REFERENCES sessions (id),
    -- The public key, X and Y.
    public_key BYTEA NOT NULL,
    -- Until when the short-lived cookie is good that only this key renews.
    fresh_until BIGINT NOT NULL,
    cookie BYTEA NOT NULL
);
