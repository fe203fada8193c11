-- Alerts about one thing are one incident; every record carries its full state, the highest version wins.

CREATE TABLE IF NOT EXISTS incidents
(
    incident_id         String,
    account_id          LowCardinality(String),
    state               LowCardinality(String),
    change              LowCardinality(String),
    severity            LowCardinality(String),
    opened_at           DateTime64(3, 'UTC'),
    updated_at          DateTime64(3, 'UTC'),
    closed_at           Nullable(DateTime64(3, 'UTC')),
    story               String,
    alert_count         UInt32,
    open_alerts         UInt32,
    rules               Array(LowCardinality(String)),
    subjects            Array(String),
    devices             Array(String),
    places              Array(String),
    campaigns           Array(String),
    affected_campaigns  Array(String),
    alert_ids           Array(String),
    alerts              String CODEC(ZSTD(3)),
    merged_into         String,
    version             UInt64,
    stored_at           DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account_id, incident_id)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1;

-- Which incident an alert is in, looked up by the alert: what went into another one is in that.
CREATE TABLE IF NOT EXISTS incident_of_alert
(
    account_id   LowCardinality(String),
    alert_id     String,
    incident_id  String,
    updated_at   DateTime64(3, 'UTC'),
    version      UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (account_id, alert_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS incident_of_alert_mv TO incident_of_alert AS
SELECT account_id, arrayJoin(alert_ids) AS alert_id, incident_id, updated_at, version
FROM incidents
WHERE merged_into = '';

CREATE OR REPLACE VIEW incidents_current AS
SELECT
    incident_id, account_id, state, severity, opened_at, updated_at, closed_at, story, alert_count, open_alerts, rules,
    subjects, devices, places, campaigns, affected_campaigns, alert_ids, alerts, version, stored_at
FROM incidents FINAL
WHERE merged_into = '';

-- An alert beside its incident: the columns of alerts_current, which stays as fast as it was, and incident_id.
CREATE OR REPLACE VIEW alerts_in_incidents AS
SELECT alert.*, incident.incident_id AS incident_id
FROM alerts_current AS alert
LEFT JOIN (SELECT account_id, alert_id, incident_id FROM incident_of_alert FINAL) AS incident
    ON incident.account_id = alert.account_id AND incident.alert_id = alert.alert_id;
