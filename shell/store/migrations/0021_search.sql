-- What can be found on a device, as its inventory said last: one packed text for each kind.

CREATE TABLE findables (
    device BYTEA NOT NULL REFERENCES devices (id),
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (device, kind)
);
