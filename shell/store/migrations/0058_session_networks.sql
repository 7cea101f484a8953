-- Where sessions were used from lately, and which were used from two networks at once.

CREATE TABLE session_networks (
    session BYTEA NOT NULL REFERENCES sessions (id),
    -- AS64500, 192.0.2.0/24 or 2001:db8:1::/48
    network TEXT NOT NULL,
    -- The autonomous system, where one is known.
    operator BIGINT,
    address TEXT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (session, network)
);

-- Each pair once for each session.
CREATE TABLE session_pairs (
    session BYTEA NOT NULL REFERENCES sessions (id),
    one TEXT NOT NULL,
    other TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (session, one, other)
);
