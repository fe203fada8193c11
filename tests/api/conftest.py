"""An engine with our schema and a little data."""

from __future__ import annotations

from pathlib import Path

import pytest

from sori.settings import Settings, load_settings
from testkit.clickhouse_fixtures import open_with_schema
from testkit.trap import engine, trap

__all__ = ["engine", "filled", "settings", "trap"]
ALERT = "a1000000-0000-5000-8000-000000000001"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an embedded engine of this test's own."""
    return load_settings(data_dir=tmp_path, api={"port": 0, "query_timeout_s": 20.0})


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """Two campaigns in two places, one alert; nobody has the engine open."""
    with open_with_schema(settings.clickhouse_dsn) as client:
        dims = "window_start, account_id, campaign_id, platform, country, region, city, impressions, clicks, version"
        client.command(
            f"INSERT INTO ctr_windows ({dims}) VALUES "  # noqa: S608 - ours
            "(1760419500, 'acc_1', 'cmp_1', 'iOS', 'US', 'MI', 'Ann Arbor', 100, 5, 1),"
            "(1760419560, 'acc_1', 'cmp_1', 'Android', 'US', 'MI', 'Detroit', 50, 5, 1),"
            "(1760419560, 'acc_2', 'cmp_2', 'iOS', 'US', 'MI', 'Detroit', 10, 0, 1)"
        )
        client.command(
            "INSERT INTO device_windows (window_start, account_id, device_id, impressions, clicks, version)"
            " VALUES (1760419500, 'acc_1', 'dev_1', 4, 2, 1)"
        )
        client.command(
            "INSERT INTO alerts (alert_id, rule, account_id, severity, subject_kind, subject, state, opened_at,"  # noqa: S608 - ours
            " updated_at, observed, expected, version, invalid_traffic_class, evidence) VALUES"
            f" ('{ALERT}', 'device_click_burst', 'acc_1', 'high', 'device', 'dev_1', 'opened', '2025-10-14 05:25:30',"
            " '2025-10-14 05:25:31', 40, 1.5, 1, 'GIVT',"
            ' \'{"sample_event_ids": [], "campaigns": {"cmp_1": 40}, "findings": 1}\')'
        )
    return settings
