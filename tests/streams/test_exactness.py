"""Replay from any commit equals never having stopped: the property that makes the log the state."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sori.records import event_headers
from sori.settings.rules import RulesSettings
from streams.alerts import iso
from streams.checkpoint import Checkpoint
from streams.device_operator import DeviceOperator
from streams.operator import PartitionOperator
from streams.place_operator import PlaceOperator
from streams.policy import TimePolicy

T0 = 1_760_419_200_000
POLICY = TimePolicy(pane_ms=10_000, window_ms=30_000, lateness_ms=100_000, max_skew_ms=60_000)
RULES = RulesSettings.model_validate(
    {
        "episodes": {"cooldown_s": 30, "update_every_s": 5, "max_length_s": 120},
        "device_click_burst": {"window_s": 20, "baseline_s": 40, "floor": 3, "factor": 2, "ceiling": 8},
        "geo_click_burst": {
            "window_s": 20,
            "baseline_s": 40,
            "floor": 3,
            "factor": 2,
            "impression_lag_s": 20,
            "min_ctr": 0.1,
            "ctr_factor": 1.5,
        },
    }
)


class FakeRecord(NamedTuple):
    """A consumed record as operators see it."""

    offset: int
    timestamp: int
    value: bytes
    headers: list[tuple[str, bytes]]


class Step(NamedTuple):
    """One event: how far time moves on before it, how far back it lies, and what it is."""

    advance_s: int
    back_s: int
    device: int
    click: bool
    duplicate: bool
    gap: int


class Segment(NamedTuple):
    """A stretch of traffic: `count` events about `every_s` apart, clicks with probability `clicks`."""

    seed: int
    count: int
    every_s: float
    clicks: float
    devices: int
    disorder_s: int


segments = st.builds(
    Segment,
    seed=st.integers(0, 2**32),
    count=st.integers(1, 60),
    every_s=st.sampled_from([0.3, 1.0, 3.0, 6.0, 20.0]),
    clicks=st.sampled_from([0.05, 0.5, 1.0]),
    devices=st.integers(1, 3),
    disorder_s=st.sampled_from([0, 5, 40, 130]),
)


def steps_of(script: list[Segment]) -> Iterator[Step]:
    """The events of all segments."""
    for segment in script:
        rng = Random(segment.seed)
        for _ in range(segment.count):
            back = rng.randint(-5, segment.disorder_s) if segment.disorder_s and rng.random() < 0.3 else 0
            yield Step(
                advance_s=round(rng.expovariate(1 / segment.every_s)),
                back_s=back,
                device=rng.randrange(segment.devices),
                click=rng.random() < segment.clicks,
                duplicate=rng.random() < 0.1,
                gap=4 if rng.random() < 0.05 else 1,
            )


def device_records(script: list[Segment]) -> list[FakeRecord]:
    """Records of hop 1's input."""
    now, offset, records = T0, 0, []
    for number, step in enumerate(steps_of(script)):
        now += step.advance_s * 1000
        offset += step.gap
        if step.duplicate and records:
            records.append(records[-1 - number % min(len(records), 7)]._replace(offset=offset))
            continue
        name = "campaign.click" if step.click else "campaign.impression"
        identity = f"act_{number}"
        body = {
            "event": name,
            "account_id": "acc",
            "created_at": iso(now - step.back_s * 1000),
            "activity_id": identity,
            "device_id": f"device_{step.device}",
            "campaign": {"id": f"cmp_{step.device % 2}"},
            "geolocation": {"viewer_city": f"city_{step.device % 2}"},
        }
        headers = event_headers(account="acc", event=name, endpoint="", verified=True, key_id="", identity=identity)
        records.append(FakeRecord(offset, now, orjson.dumps(body), headers))
    return records


def place_records(script: list[Segment]) -> list[FakeRecord]:
    """Records of hop 2's input: cumulative roll-ups of a few source partitions."""
    now, offset, records = T0, 0, []
    counts: dict[tuple[int, int, int], list[int]] = {}
    for number, step in enumerate(steps_of(script)):
        now += step.advance_s * 1000
        offset += step.gap
        if step.duplicate and records:
            records.append(records[-1 - number % min(len(records), 7)]._replace(offset=offset))
            continue
        pane = (now - max(step.back_s, 0) * 1000) // 10_000 * 10
        place, source = step.device % 2, step.device
        cell = counts.setdefault((pane, place, source), [0, 0])
        cell[step.click] += 1 + step.device
        row = {
            "pane_start": pane,
            "account_id": "acc",
            "country": "c",
            "region": "r",
            "city": f"city_{place}",
            "source_partition": source,
            "impressions": cell[0],
            "clicks": cell[1],
            "clicking_devices": cell[1],
            "top_device_clicks": min(1, cell[1]),
            "campaigns": {"cmp": cell[1]},
            "samples": [f"act_{number}"],
            "version": number,
        }
        records.append(FakeRecord(offset, now, orjson.dumps(row), []))
    return records


def fingerprint(operator: PartitionOperator) -> dict[str, Any]:
    """Everything an operator's future depends on."""
    state: dict[str, Any] = {
        "watermark": operator.clock.watermark,
        "next": operator.next_offset,
        "episodes": {
            key: (
                e.start_ms,
                e.cut_ms,
                e.last_ms,
                e.shown_ms,
                e.announced,
                e.pending,
                e.findings,
                e.peak,
                e.samples,
                e.campaigns,
            )
            for key, e in operator.episodes.open_episodes.items()
        },
    }
    if isinstance(operator, DeviceOperator):
        store = operator._store
        state["panes"] = {p.start_ms: (p.seen, p.clicks, p.places) for p in store.panes.values()}
        state["windows"] = {w.start_ms: (w.first_offset, w.ctr, w.devices) for w in store.windows.values()}
    elif isinstance(operator, PlaceOperator):
        state["panes"] = {start: (p.first_offset, p.places) for start, p in operator._panes.items()}
    return state


def run_and_resume(make: Any, records: list[FakeRecord], cuts: list[int], commit: int) -> None:
    """Run once through with flushes at `cuts`; resume another from the `commit`-th flush; compare from there on."""
    whole = make(None)
    edges = sorted({min(cut, len(records)) for cut in cuts} | {len(records)})
    batches = [records[a:b] for a, b in zip([0, *edges], edges, strict=False)]
    commit %= len(batches)
    for batch in batches[: commit + 1]:
        whole.apply(batch)
        _, checkpoint = whole.flush()
    read_back = Checkpoint.parse(checkpoint.offset, checkpoint.metadata())
    assert read_back == checkpoint
    resumed = make(read_back)
    suffix = [record for record in records if checkpoint.pin.low <= record.offset < checkpoint.offset]
    for a in range(0, len(suffix), 3):
        resumed.apply(suffix[a : a + 3])
    assert fingerprint(resumed) == fingerprint(whole)
    for batch in batches[commit + 1 :]:
        whole.apply(batch)
        resumed.apply(batch)
        assert resumed.flush()[0] == whole.flush()[0]
        assert fingerprint(resumed) == fingerprint(whole)


scripts = st.lists(segments, min_size=1, max_size=8)
flushes = st.lists(st.integers(1, 240), min_size=1, max_size=16)


@pytest.mark.parametrize("operator", ["device", "place"])
def test_resuming_from_any_commit_equals_never_having_stopped(operator):
    """Whatever arrives and wherever a commit falls, the resumed operator has the same state and owes the same rows."""
    make_records = device_records if operator == "device" else place_records
    factory = DeviceOperator if operator == "device" else PlaceOperator

    @settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(script=scripts, cuts=flushes, commit=st.integers(0, 20))
    def check(script, cuts, commit):
        run_and_resume(lambda resume: factory(0, POLICY, RULES, resume), make_records(script), cuts, commit)

    check()
