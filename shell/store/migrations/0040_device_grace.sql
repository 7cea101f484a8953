-- When a browser bound its session: requests that were under way then have no cookie of the device yet.

ALTER TABLE device_bindings ADD COLUMN bound_at BIGINT NOT NULL DEFAULT 0;
