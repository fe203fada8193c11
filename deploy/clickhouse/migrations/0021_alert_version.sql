-- The view has every field of the topic's record: `version` was the one that it lacked.

CREATE OR REPLACE VIEW alerts_current AS
SELECT
    alert_id, rule, account_id, severity, subject_kind, subject, window_start, window_end, observed, expected, state,
    opened_at, updated_at, closed_at, evidence, invalid_traffic_class, floor, stored_at, version
FROM alerts FINAL;
