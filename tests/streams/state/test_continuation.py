"""Whatever happened to log, commit or settings: no window is published again by a state that lacks events of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.events import parse_time_ms
from sori.records import event_headers
from sori.settings.rules import RulesSettings
from sori.times import iso
from sori.topics import CTR_WINDOWS, LATE
from streams.operators.device import DeviceOperator
from streams.rules import registry
from streams.state.checkpoint import Checkpoint, ReplayStart
from streams.state.continuation import (
    Counting,
    Doubt,
    Found,
    Known,
    asks_from_ms,
    continued,
    doubt_of,
    lost_ms,
    start_of,
)
from streams.state.fingerprint import Fingerprint, fingerprint
from streams.state.output import Output
from streams.state.policy import TimePolicy
from testkit.examples import examples

T0 = 1_760_419_200_000
POLICY = TimePolicy(pane_ms=10_000, window_ms=60_000, lateness_ms=900_000, max_skew_ms=60_000)
RULES = RulesSettings.model_validate(
    {  # as little as they can look back
        "episodes": {"cooldown_s": 10},
        "device_click_burst": {"window_s": 10, "baseline_s": 10},
        "device_event_burst": {"baseline_windows": 1},
        "device_auth_burst": {"baseline_windows": 1},
        "click_without_impression": {"window_s": 10, "horizon_s": 10},
        "geo_hop": {"windows": 1},
        "device_ctr": {"windows": 1},
        "device_impressions": {"windows": 1},
    }
)
MARGIN_MS = 600_000


class Record(NamedTuple):
    """A consumed record."""

    offset: int
    timestamp: int
    value: bytes
    headers: list[tuple[str, bytes]]


class Event(NamedTuple):
    """How much later than the one before it came in, and how far from then it happened, seconds."""

    after_s: int
    back_s: int


events = st.lists(
    st.builds(
        Event,
        st.sampled_from([0, 1, 5, 20, 90]),
        st.sampled_from([-50, 0, 0, 0, 3, 30, 200, 590, 900]),
    ),
    min_size=1,
    max_size=50,
)


def records_of(script: list[Event], first: int = 0, now_ms: int = T0) -> list[Record]:
    """Impressions, each another one."""
    records = []
    for offset, event in enumerate(script, first):
        now_ms += event.after_s * 1000
        name = f"act_{now_ms}_{offset}"
        body = {
            "event": "campaign.impression",
            "account_id": "acc",
            "created_at": iso(now_ms - event.back_s * 1000),
            "activity_id": name,
            "device_id": "dev",
        }
        headers = event_headers(
            account="acc", event=body["event"], endpoint="", verified=True, key_id="", identity=name
        )
        records.append(Record(offset, now_ms, orjson.dumps(body), headers))
    return records


class Table:
    """What readers see once the sinks have counted again what late events call for."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[int, int]] = {}
        self.recounted: dict[int, int] = {}
        self.created: list[int] = []

    def take(self, outputs: list[Output]) -> None:
        """Rows by version, and windows to count again."""
        for output in outputs:
            for row in map(orjson.loads, output.value.split(b"\n")):
                if output.topic is CTR_WINDOWS:
                    start = row["window_start"]
                    self.rows[start] = max(self.rows.get(start, (0, 0)), (row["version"], row["impressions"]))
                elif output.topic is LATE:
                    self.recounted[row["window_start"]] = row["window_s"]

    def raw(self, records: list[Record]) -> None:
        """Raw events, which the sinks have whatever becomes of Kafka's log."""
        self.created += [_created(record) for record in records]

    def wrong(self, length_of: dict[int, int]) -> dict[int, tuple[int, int]]:
        """Windows whose count is not that of the raw events, and any event that is in no window or in two."""
        found, truth = {}, defaultdict(int)
        seen = 0
        for start in self.rows.keys() | self.recounted.keys():
            length = self.recounted.get(start) or next(
                (one for until, one in length_of.items() if start * 1000 < until), length_of[2**62]
            )
            truth[start] = sum(start * 1000 <= at < (start + length) * 1000 for at in self.created)
            counted = truth[start] if start in self.recounted else self.rows[start][1]
            seen += counted
            if counted != truth[start]:
                found[start] = (counted, truth[start])
        if seen != len(self.created):
            found[-1] = (seen, len(self.created))
        return found


def _created(record: Record) -> int:
    return parse_time_ms(orjson.loads(record.value)["created_at"])


def of(policy: TimePolicy = POLICY, rules: RulesSettings = RULES) -> Counting:
    """How hop 1 counts by these settings."""
    return Counting(fingerprint(policy.parts(), rules, registry.DEVICE_RULES, 7), policy, MARGIN_MS)


def look(found: Found, doubt: Doubt, now: Counting, log: list[Record], now_ms: int) -> Known:
    """What the log would say."""
    start, from_ms = start_of(found, doubt), asks_from_ms(found, doubt, now)
    at = next((r.offset for r in log if from_ms is not None and r.timestamp >= from_ms), found.end)
    stamps = [record.timestamp for record in log if record.offset >= start]
    return Known(now_ms, stamps[0] if stamps else now_ms, at)


def resume(table: Table, found: Found, now: Counting, log: list[Record], now_ms: int) -> Checkpoint | None:
    """Apply the rest of the log from where to go on; return the last checkpoint."""
    doubt = doubt_of(found, now.fingerprint)
    checkpoint = (
        found.checkpoint if doubt is None else continued(found, doubt, now, look(found, doubt, now, log, now_ms))
    )
    operator = DeviceOperator(0, now.policy, RULES, checkpoint)
    for record in log:
        if record.offset >= operator.next_offset:
            operator.apply([record])
            if not operator.replaying:
                table.take(operator.flush()[0])
    return operator.flush()[1]


CHANGED = {
    "windows": [{"window_ms": 30_000}, {"window_ms": 150_000}, {"window_ms": 90_000}],
    "skew": [{"max_skew_ms": 10_000}, {"max_skew_ms": 90_000}],
    "lateness": [{"lateness_ms": 700_000}, {"lateness_ms": 3_000_000}],
}
DAMAGE = {
    "none": None,
    "replay_gone": Doubt.REPLAY_GONE,
    "reset": Doubt.NOT_OURS,
    "lost_tail": Doubt.BEYOND_END,
    "windows": Doubt.WINDOWS_CHANGED,
    "skew": Doubt.WINDOWS_CHANGED,
    "lateness": Doubt.LATENESS_CHANGED,
    "rules": Doubt.RULES_CHANGED,
    "group_gone": Doubt.BEGINNING_GONE,
}


class Scene(NamedTuple):
    """What there is after the accident."""

    found: Found
    now: Counting
    log: list[Record]


def accident(damage: str, log: list[Record], point: Checkpoint, cut: int) -> Scene:
    """The log, the commit and the settings after it; `cut` varies it."""
    found, now = Found(0, len(log), point.offset, point.metadata(of().fingerprint)), of()
    if damage == "replay_gone":
        found = replace(found, begin=min(point.replay_start.low + 1, point.offset))
    elif damage == "reset":
        found = replace(found, offset=1 + cut % len(log), metadata="")
    elif damage == "group_gone":
        found = Found(min(cut, len(log)), len(log))
    elif damage == "lost_tail":
        log = log[: max(0, point.offset - cut)]
    elif damage in CHANGED:
        policy = replace(POLICY, **CHANGED[damage][cut % len(CHANGED[damage])])
        now = of(policy)
    elif damage == "rules":
        now = of(rules=RULES.model_copy(update={"accounts": {"acc": {"fast_click": {"floor": 3}}}}))
    return Scene(found, now, [record for record in log if record.offset >= found.begin])


@pytest.mark.parametrize("damage", DAMAGE)
def test_no_window_is_published_by_a_state_that_lacks_events(damage):
    """Events before and after the accident, committed here or there, outputs beyond the commit included."""

    @examples(120)
    @given(before=events, after=events, commit=st.integers(0, 60), cut=st.integers(1, 60), gap_s=st.integers(0, 4000))
    def check(before, after, commit, cut, gap_s):
        table, log = Table(), records_of(before)
        table.raw(log)
        operator, point = DeviceOperator(0, POLICY, RULES), None
        for record in log:
            operator.apply([record])
            outputs, reached = operator.flush()
            table.take(outputs)
            if record.offset <= commit:
                point = reached
        now_ms = log[-1].timestamp + gap_s * 1000
        scene = accident(damage, log, point, cut)
        first = scene.log[-1].offset + 1 if scene.log else scene.found.begin
        newer = records_of(after, first, now_ms)
        table.raw(newer)
        if damage == "lost_tail" and first + len(newer) >= point.offset:
            return  # nobody could tell
        found = replace(scene.found, end=first + (len(newer) + 1) // 2)  # the rest comes once it runs again
        assert doubt_of(found, scene.now.fingerprint) in {DAMAGE[damage], None}
        last = resume(table, found, scene.now, [*scene.log, *newer], now_ms)
        lengths = dict(last.lengths) | {2**62: scene.now.policy.window_ms}
        assert table.wrong({until: length // 1000 for until, length in lengths.items()}) == {}

    check()


@examples(120)
@given(before=events, gone=events, after=events, commit=st.integers(0, 60))
def test_the_backfill_that_is_offered_counts_what_lost_records_had(before, gone, after, commit):
    """The sinks read those records in time, the streams never will: no late event calls for a recount of them."""
    table, log = Table(), records_of(before)
    operator = DeviceOperator(0, POLICY, RULES)
    for record in log[: commit + 1]:
        operator.apply([record])
        outputs, point = operator.flush()
        table.take(outputs)
    log += records_of(gone, len(log), log[-1].timestamp)
    now_ms = log[-1].timestamp
    newer = records_of(after, len(log), now_ms)
    table.raw([*log, *newer])
    found, now = Found(len(log), len(log) + len(newer), point.offset, point.metadata(of().fingerprint)), of()
    assert doubt_of(found, now.fingerprint) is Doubt.RECORDS_GONE
    resume(table, found, now, newer, now_ms)
    then = continued(found, Doubt.RECORDS_GONE, now, look(found, Doubt.RECORDS_GONE, now, newer, now_ms))
    begin_ms, end_ms = lost_ms(found, Doubt.RECORDS_GONE, now, then, now_ms)
    for start in range(begin_ms // 1000, end_ms // 1000, POLICY.window_ms // 1000):
        table.recounted[start] = POLICY.window_ms // 1000
    assert table.wrong({2**62: POLICY.window_ms // 1000}) == {}


def test_each_case_is_told_apart():
    """The gravest first."""
    now = fingerprint(POLICY.parts(), RULES, registry.DEVICE_RULES, 7)
    point = Checkpoint(1_000, ReplayStart(900, 5), watermark_ms=9)
    text = point.metadata(now)

    def told(begin: int, end: int, offset: int | None = 1_000, metadata: str = text, ours: Fingerprint = now) -> object:
        return doubt_of(Found(begin, end, offset, metadata), ours)

    assert told(0, 1_000) is None
    assert told(900, 2_000) is None
    assert told(0, 596) is Doubt.BEYOND_END
    assert told(901, 2_000) is Doubt.REPLAY_GONE
    assert told(1_001, 2_000) is Doubt.RECORDS_GONE
    assert told(0, 2_000, metadata="") is Doubt.NOT_OURS
    assert told(0, 2_000, offset=0, metadata="") is None
    assert told(0, 2_000, ours=now.of_log(8)) is Doubt.OTHER_LOG
    assert told(0, 2_000, offset=None, metadata="") is None
    assert told(5, 2_000, offset=None, metadata="") is Doubt.BEGINNING_GONE
    assert told(0, 2_000, metadata='{"low":900,"horizon":5}') is None
    six, twelve = now.of_log(7, 6), now.of_log(7, 12)
    assert told(0, 2_000, metadata=point.metadata(six), ours=twelve) is Doubt.PARTITIONS_ADDED
    assert told(0, 2_000, metadata=point.metadata(six), ours=six) is None


def test_where_nothing_is_lost_no_backfill_is_offered():
    """A topic made anew has lost what was in the one before, up to now."""
    point = Checkpoint(1_000, ReplayStart(900, 5), watermark_ms=T0)
    found = Found(0, 2_000, 1_000, point.metadata(of().fingerprint))
    offered = {doubt: lost_ms(found, doubt, of(), point, T0 + 10**6) for doubt in Doubt}
    assert {doubt for doubt, span in offered.items() if span} == {
        Doubt.OTHER_LOG,
        Doubt.BEYOND_END,
        Doubt.RECORDS_GONE,
    }
    assert lost_ms(found, Doubt.OTHER_LOG, of(), None, T0 + 10**6) == (T0 - 960_000, T0 + 10**6 + POLICY.max_skew_ms)
