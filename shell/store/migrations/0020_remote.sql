-- Remote sessions, who is attached to them, and their recordings.

-- The kind of remote session that a step-up window was first used for; NULL: for none yet.
ALTER TABLE sessions ADD COLUMN step_up_kind TEXT;

-- The token before the last elevation, for requests that were under way then, and until when it is taken.
ALTER TABLE sessions ADD COLUMN former_token BYTEA;

ALTER TABLE sessions ADD COLUMN former_until BIGINT;

CREATE TABLE remote_sessions (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    device BYTEA NOT NULL REFERENCES devices (id),
    kind TEXT NOT NULL,
    run_as TEXT,
    is_recorded BIGINT NOT NULL,
    opener BYTEA NOT NULL,
    opener_name TEXT NOT NULL,
    state TEXT NOT NULL,
    idle_secs BIGINT NOT NULL,
    created BIGINT NOT NULL,
    -- When it ends at the latest.
    expires BIGINT NOT NULL,
    ended BIGINT,
    end_reason TEXT,
    -- Of the recording: the next piece's number, bytes so far, and the digest once it is whole.
    next_piece BIGINT NOT NULL,
    recording_bytes BIGINT NOT NULL,
    recording_sha256 BYTEA
);

CREATE INDEX remote_sessions_tenant ON remote_sessions (tenant, state, id);

CREATE INDEX remote_sessions_device ON remote_sessions (device, state);

CREATE INDEX remote_sessions_open ON remote_sessions (state, expires);

-- One client's grant each.
CREATE TABLE attachments (
    grant_id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    remote_session BYTEA NOT NULL REFERENCES remote_sessions (id),
    device BYTEA NOT NULL,
    person BYTEA NOT NULL,
    person_name TEXT NOT NULL,
    -- Its end ends the attachment.
    user_session BYTEA NOT NULL,
    access TEXT NOT NULL,
    -- The signed envelope, verbatim, and its place in the log.
    envelope TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    created BIGINT NOT NULL,
    ended BIGINT,
    end_reason TEXT,
    -- The device's signed receipt, verbatim.
    receipt TEXT
);

CREATE INDEX attachments_session ON attachments (remote_session, ended);

CREATE INDEX attachments_open ON attachments (ended);

CREATE TABLE recording_pieces (
    remote_session BYTEA NOT NULL REFERENCES remote_sessions (id),
    seq BIGINT NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (remote_session, seq)
);
