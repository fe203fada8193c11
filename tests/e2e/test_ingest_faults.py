"""Faults against the real broker and real processes: every id that got a 2xx is in `events_current` exactly once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from rich.console import Console

from testkit.ingest_faults.rig import Rig, Verdict, rig
from testkit.ingest_faults.scenarios import SCENARIOS
from testkit.ingest_faults.table import table

#: Long enough to be felt everywhere; `python -m bench.ingest_faults` runs the minute-long ones.
OUTAGE_S = 4.0

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """One Kafka and one sink for all scenarios: that they survive each other's faults is part of the test."""
    async with rig(tmp_path_factory.mktemp("faults")) as it:
        yield it


@pytest.fixture(scope="module")
def verdicts(request: pytest.FixtureRequest) -> Iterator[list[Verdict]]:
    """Collects the rows and prints the table at the end."""
    rows: list[Verdict] = []
    yield rows
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        Console(width=120).print("\n", table(rows))


@pytest.mark.parametrize("name", SCENARIOS)
async def test_no_acknowledged_event_is_lost_or_doubled(name: str, shared_rig: Rig, verdicts: list[Verdict]) -> None:
    """In each scenario every 2xx is stored exactly once; the table also says how long the slowest answer took."""
    verdict = await SCENARIOS[name](shared_rig, OUTAGE_S)
    verdicts.append(verdict)
    assert verdict.delivered > 50
    assert verdict.lost == 0
    assert verdict.duplicates == 0
