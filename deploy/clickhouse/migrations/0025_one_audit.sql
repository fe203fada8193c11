-- The audit is written once: without bounds, it is the bounded one over all time.

CREATE OR REPLACE VIEW auth_audit_within AS
SELECT * FROM auth_audit_between(tolerance = {tolerance:UInt32}, since = 0, until = 4294967295, accounts = []);
