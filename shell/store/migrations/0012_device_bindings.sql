-- The short-lived cookie carries its own end and a keyed hash: nothing is stored when it is renewed.

ALTER TABLE device_bindings DROP COLUMN cookie;

ALTER TABLE device_bindings DROP COLUMN fresh_until;
