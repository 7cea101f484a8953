-- Customers, devices, scripts, authorization requests, jobs.

CREATE TABLE customers (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (tenant, name)
);

CREATE TABLE sites (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    customer BYTEA NOT NULL REFERENCES customers (id),
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (customer, name)
);

CREATE TABLE installers (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    site BYTEA NOT NULL REFERENCES sites (id),
    label TEXT NOT NULL,
    platform TEXT NOT NULL,
    uses BIGINT NOT NULL,
    used BIGINT NOT NULL,
    network TEXT,
    -- SHA-256 of the token's secret.
    secret_hash BYTEA NOT NULL,
    created BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires BIGINT NOT NULL,
    revoked BIGINT
);

CREATE INDEX installers_tenant ON installers (tenant, id);

CREATE TABLE devices (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    site BYTEA NOT NULL REFERENCES sites (id),
    -- SHA-256 of the device key: what grants name.
    thumbprint BYTEA NOT NULL,
    device_key BYTEA NOT NULL,
    seal_key BYTEA NOT NULL,
    name TEXT NOT NULL,
    os TEXT NOT NULL,
    agent_version TEXT NOT NULL,
    state TEXT NOT NULL,
    installer BYTEA NOT NULL,
    enrolled BIGINT NOT NULL,
    enrolled_from TEXT NOT NULL,
    approved BIGINT,
    approved_by TEXT,
    last_seen BIGINT,
    -- Space-separated labels, sorted.
    tags TEXT NOT NULL,
    -- Line-separated account names.
    signed_in TEXT NOT NULL,
    -- Line-separated alerts, most urgent first.
    alerts TEXT NOT NULL,
    inventory_at BIGINT,
    version BIGINT NOT NULL,
    UNIQUE (tenant, thumbprint)
);

CREATE INDEX devices_tenant ON devices (tenant, name, id);

-- Apart from the devices, so that lists never read it.
CREATE TABLE inventories (
    device BYTEA PRIMARY KEY REFERENCES devices (id),
    -- The agent's message as it was decoded and bounded.
    content BYTEA NOT NULL
);

CREATE TABLE scripts (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    version BIGINT NOT NULL,
    last_run BIGINT,
    last_run_version BIGINT,
    deleted BIGINT
);

CREATE INDEX scripts_tenant ON scripts (tenant, name);

CREATE TABLE script_versions (
    script BYTEA NOT NULL REFERENCES scripts (id),
    version BIGINT NOT NULL,
    interpreter TEXT NOT NULL,
    content TEXT NOT NULL,
    sha256 BYTEA NOT NULL,
    -- JSON list of what it asks for.
    parameters TEXT NOT NULL,
    saved BIGINT NOT NULL,
    saved_by TEXT NOT NULL,
    PRIMARY KEY (script, version)
);

CREATE TABLE requests (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    session BYTEA NOT NULL,
    asker BYTEA NOT NULL,
    asker_email TEXT NOT NULL,
    asker_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    class BIGINT NOT NULL,
    class_reason TEXT NOT NULL,
    hour_devices BIGINT NOT NULL,
    requirement TEXT NOT NULL,
    digest BYTEA NOT NULL,
    -- The frozen action as JSON.
    action TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    job BYTEA,
    grant_id BYTEA,
    log_index BIGINT
);

CREATE INDEX requests_tenant ON requests (tenant, state, id);

CREATE INDEX requests_session ON requests (session, state);

CREATE TABLE request_proofs (
    request BYTEA NOT NULL REFERENCES requests (id),
    prover BYTEA NOT NULL,
    prover_email TEXT NOT NULL,
    method TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (request, prover)
);

-- Secret variables, sealed to each device when the request is frozen; gone once their run has ended.
CREATE TABLE sealed_secrets (
    grant_id BYTEA NOT NULL,
    device BYTEA NOT NULL,
    name TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (grant_id, device, name)
);

CREATE TABLE jobs (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    grant_id BYTEA NOT NULL UNIQUE,
    script BYTEA NOT NULL,
    script_version BIGINT NOT NULL,
    name TEXT NOT NULL,
    content TEXT NOT NULL,
    -- The signed envelope, verbatim.
    envelope TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    requested_by_id BYTEA NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    ended BIGINT,
    log_index BIGINT NOT NULL,
    -- Runs that have not reached a final state.
    left_runs BIGINT NOT NULL
);

CREATE INDEX jobs_tenant ON jobs (tenant, id);

CREATE TABLE runs (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    job BYTEA NOT NULL REFERENCES jobs (id),
    grant_id BYTEA NOT NULL,
    device BYTEA NOT NULL,
    state TEXT NOT NULL,
    cancelled_by TEXT,
    -- The device's place among the grant's targets, and the hashes that show it.
    target_index BIGINT NOT NULL,
    target_proof BYTEA NOT NULL,
    next_chunk BIGINT NOT NULL,
    output_bytes BIGINT NOT NULL,
    exit_code BIGINT,
    ended_by_signal BIGINT,
    reason TEXT,
    output_sha256 BYTEA,
    started BIGINT,
    ended BIGINT,
    -- The device's signed receipt, verbatim.
    receipt TEXT,
    UNIQUE (grant_id, device)
);

CREATE INDEX runs_job ON runs (job, state);

CREATE INDEX runs_device ON runs (device, state);

CREATE TABLE output_chunks (
    run BYTEA NOT NULL REFERENCES runs (id),
    seq BIGINT NOT NULL,
    stream BIGINT NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (run, seq)
);

-- Which devices a person's actions reached, for the sum of the hour.
CREATE TABLE touches (
    tenant BYTEA NOT NULL,
    person BYTEA NOT NULL,
    device BYTEA NOT NULL,
    at BIGINT NOT NULL
);

CREATE INDEX touches_person ON touches (tenant, person, at);
