-- Which job an entry of the audit log is about.
CREATE INDEX jobs_log ON jobs (tenant, log_index);
