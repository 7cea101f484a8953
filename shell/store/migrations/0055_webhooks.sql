-- Webhooks: addresses that are told what happens, and what became of each telling.

CREATE TABLE webhooks (
    id BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL REFERENCES tenants (id),
    owner BYTEA NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    -- Words with spaces between them.
    events TEXT NOT NULL,
    -- active or paused
    state TEXT NOT NULL,
    -- Why it is paused: by_person, failing or gone.
    paused_why TEXT,
    -- The secret, sealed to this row; the former one signs too until then.
    secret BYTEA NOT NULL,
    former_secret BYTEA,
    former_until BIGINT,
    created BIGINT NOT NULL,
    last_arrival BIGINT,
    version BIGINT NOT NULL
);

CREATE INDEX webhooks_tenant ON webhooks (tenant, id);

-- The outbox: an event for one webhook, written in the transaction of the change that it tells of.
CREATE TABLE webhook_deliveries (
    webhook BYTEA NOT NULL REFERENCES webhooks (id),
    event BYTEA NOT NULL,
    tenant BYTEA NOT NULL,
    kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    -- JSON: ids, names and numbers.
    data TEXT NOT NULL,
    -- waiting, delivered, failed or withheld
    state TEXT NOT NULL,
    -- Attempts ever, and those since it was last put into the queue.
    made BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    first_try BIGINT,
    next_try BIGINT NOT NULL,
    ended BIGINT,
    PRIMARY KEY (webhook, event)
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, state, next_try);

CREATE TABLE webhook_attempts (
    webhook BYTEA NOT NULL,
    event BYTEA NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    status BIGINT,
    error TEXT,
    -- The first bytes of the answer, as text.
    answer TEXT NOT NULL,
    millis BIGINT NOT NULL,
    PRIMARY KEY (webhook, event, number)
);

-- What was last told of a device's presence.
CREATE TABLE webhook_presence (
    device BYTEA PRIMARY KEY,
    tenant BYTEA NOT NULL,
    online BIGINT NOT NULL,
    at BIGINT NOT NULL
);

CREATE INDEX webhook_presence_tenant ON webhook_presence (tenant);
