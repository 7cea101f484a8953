-- The audit log: one RFC 6962 Merkle tree per tenant.

CREATE TABLE log_heads (
    tenant BYTEA PRIMARY KEY,
    epoch BIGINT NOT NULL,
    size BIGINT NOT NULL,
    -- Roots of the complete subtrees, from the largest to the smallest, 32 bytes each.
    frontier BYTEA NOT NULL,
    root BYTEA NOT NULL,
    -- The signed note; empty only inside the transaction that begins the log.
    checkpoint TEXT NOT NULL
);

CREATE TABLE log_entries (
    tenant BYTEA NOT NULL,
    idx BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    -- What the tree hashes; never erased.
    data BYTEA NOT NULL,
    -- What people read, and the salt that ties it to the data; all three may be erased.
    body TEXT,
    salt BYTEA,
    actor TEXT,
    PRIMARY KEY (tenant, idx)
);

CREATE INDEX log_entries_kind ON log_entries (tenant, kind, idx);

CREATE INDEX log_entries_actor ON log_entries (tenant, actor, idx);

-- Every complete subtree: level 0 are the leaves, idx counts from the left.
CREATE TABLE log_nodes (
    tenant BYTEA NOT NULL,
    level BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (tenant, level, idx)
);
