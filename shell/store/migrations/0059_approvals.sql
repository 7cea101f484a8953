-- Requests that take two people: wrong numbers from the asker's screen, and askers whom a second person said no to.

ALTER TABLE requests ADD COLUMN number_failures BIGINT NOT NULL DEFAULT 0;

CREATE TABLE approval_mutes (
    asker BYTEA PRIMARY KEY REFERENCES users (id),
    until BIGINT NOT NULL
);
