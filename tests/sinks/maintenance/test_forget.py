"""`sori forget` broken off anywhere: whoever finishes it leaves windows, roll-ups and raw events in agreement."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from sinks.builders import events
from sinks.insert.writer import Writer
from sinks.maintenance.forget import forget, interrupted
from sinks.upkeep.rollups import Roller
from sori.settings import load_settings
from testkit.records import event_record
from tests.sinks.maintenance.test_tasks import RECEIVED, differences, run

DEVICES = 48
DEVICE_TABLES = ("device_windows", "device_clicks", "device_minutes")


class Killed(BaseException):
    """As if the process were gone."""


class DyingClient:
    """Passes calls on until the n-th, before which the process dies."""

    def __init__(self, client: Client, deadly: int) -> None:
        self._client = client
        self._left = deadly

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                raise Killed
            return call(*arguments, **options)

        return counted if name in ("command", "query", "insert") else call


def fill(client: Client) -> None:
    """Devices that share every window; windows and roll-ups made from them."""
    records = [
        event_record(
            n,
            n % 3,
            device_id=f"dev_{n % DEVICES}",
            event="campaign.click" if n % 7 == 0 else "campaign.impression",
            created_at=f"2025-10-14T05:{20 + n % 5}:12.421Z",
        )
        for n in range(DEVICES * 10)
    ]
    Writer(lambda: client).insert(events.build(records), None)
    run(client, "backfill", start=RECEIVED - 6000, end=RECEIVED + 6000)
    roll(client)


def roll(client: Client) -> None:
    with ThreadPoolExecutor(1) as executor:
        Roller(Writer(lambda: client), executor, quiet_s=0.0).roll()


def counts(client: Client, view: str) -> tuple[int, int]:
    [(impressions, clicks)] = client.query(f"SELECT sum(impressions), sum(clicks) FROM {view}").result_rows  # noqa: S608
    return impressions, clicks


def agree(client: Client) -> bool:
    """Windows, roll-ups and raw events in total."""
    raw = client.query(
        "SELECT countIf(event = 'campaign.impression'), countIf(event = 'campaign.click') FROM events_current"
    ).result_rows[0]
    return {counts(client, "ctr_by_minute"), counts(client, "ctr_by_campaign_5m")} == {raw}


@pytest.mark.parametrize("dsn", ["chdb"], indirect=True)
def test_a_run_that_dies_at_any_step_is_finished_by_the_next(client: Client) -> None:
    """Before every statement: what is wrong meanwhile is noted down, and one more run leaves nothing of the device."""
    fill(client)
    settings, died = load_settings(), []
    for number in range(1, DEVICES):
        device = f"dev_{number}"
        try:
            for _ in forget(DyingClient(client, number), settings, {"device": device}):  # type: ignore[arg-type]
                pass
        except Killed:
            died.append(number)
            noted = interrupted(client) == [device]
            assert noted or agree(client)
            run(client, "forget", **({"resume": True} if noted else {"device": device}))
        for table in ("events", *DEVICE_TABLES, "forget_windows", "forget_requests"):
            assert client.command(f"SELECT count() FROM {table} WHERE device_id = '{device}'") == 0  # noqa: S608
        assert agree(client)
        if died[-1:] != [number]:
            break
    assert len(died) > 15
    assert differences(client) == []
    roll(client)
    assert agree(client)
    assert counts(client, "ctr_by_place_1d") == counts(client, "ctr_by_minute")
    assert client.command("SELECT uniqExact(device_id) FROM events_current") == DEVICES - len(died) - 1


def test_a_dry_run_counts_and_removes_nothing(client: Client) -> None:
    """The same figures as the run itself."""
    fill(client)
    counted = run(client, "forget", device="dev_7", dry_run=True)
    assert client.command("SELECT count() FROM events WHERE device_id = 'dev_7'") == 10
    assert interrupted(client) == []
    done = run(client, "forget", device="dev_7", purge=True)
    assert {name: counted[name] for name in ("removed", "windows_recounted")} == {
        name: done[name] for name in ("removed", "windows_recounted")
    }
    assert done["removed"]["events"] == 10
    hidden = {"apply_deleted_mask": 0, "apply_patch_parts": 0}
    assert client.command("SELECT count() FROM events WHERE device_id = 'dev_7'", settings=hidden) == 0


@pytest.mark.parametrize("params", [{}, {"device": "dev_1", "resume": True}])
def test_it_wants_one_of_device_and_resume(client: Client, params: dict[str, Any]) -> None:
    """Neither by accident."""
    with pytest.raises(Exception, match="name a device"):
        run(client, "forget", **params)
