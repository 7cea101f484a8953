-- Published schedules: scripts that run unattended at their times.

CREATE TABLE schedules (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    script BYTEA NOT NULL,
    script_version BIGINT NOT NULL,
    -- active, paused, voided, stopped or expired
    state TEXT NOT NULL,
    -- Why it is voided or stopped, in a word.
    why TEXT,
    changed BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    grant_id BYTEA NOT NULL UNIQUE,
    -- The signed envelope, verbatim, and SHA-256 of its encoding.
    envelope TEXT NOT NULL,
    digest BYTEA NOT NULL,
    content TEXT NOT NULL,
    -- JSON of the rule that its devices were found by, and the rule in words.
    rule TEXT,
    rule_words TEXT,
    published BIGINT NOT NULL,
    published_by TEXT NOT NULL,
    published_by_id BYTEA NOT NULL,
    expires BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    -- Occurrences up to this moment are decided.
    decided BIGINT NOT NULL,
    next_due BIGINT,
    -- Occurrences that came while no server was there, and were not caught up with.
    missed BIGINT NOT NULL,
    version BIGINT NOT NULL
);

CREATE INDEX schedules_tenant ON schedules (tenant, id);

CREATE INDEX schedules_due ON schedules (state, next_due);

CREATE INDEX schedules_script ON schedules (script, state);

-- The devices of a publication, with their places among its targets.
CREATE TABLE schedule_targets (
    schedule BYTEA NOT NULL REFERENCES schedules (id),
    device BYTEA NOT NULL,
    thumbprint BYTEA NOT NULL,
    target_index BIGINT NOT NULL,
    target_proof BYTEA NOT NULL,
    PRIMARY KEY (schedule, device)
);

-- A job of a schedule is one of its occurrences; script and envelope stand with the schedule.
ALTER TABLE jobs ADD COLUMN schedule BYTEA;

ALTER TABLE jobs ADD COLUMN due BIGINT;

CREATE UNIQUE INDEX jobs_occurrence ON jobs (schedule, due);

-- Not offered before this moment, nor before it is let go; NULL once it may be offered.
ALTER TABLE runs ADD COLUMN held_until BIGINT;

CREATE INDEX runs_held ON runs (state, held_until);
