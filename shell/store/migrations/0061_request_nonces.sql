-- What a request holds of the server's randomness, beside its id: part of what is digested. Absent in those from before.

ALTER TABLE requests ADD COLUMN nonce BYTEA;
