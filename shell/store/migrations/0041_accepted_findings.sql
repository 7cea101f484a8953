-- What posture found and somebody accepted, with why and until when.

CREATE TABLE accepted_findings (
    tenant BYTEA NOT NULL REFERENCES tenants (id),
    -- Names rule, severity, what it is and whom it is about.
    finding BYTEA NOT NULL,
    rule TEXT NOT NULL,
    title TEXT NOT NULL,
    reason TEXT NOT NULL,
    by_name TEXT NOT NULL,
    accepted BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (tenant, finding)
);
