"""Alerts of places and campaigns say what share of each campaign's clicks the subject made, over all partitions."""

from __future__ import annotations

from collections import Counter, deque
from random import Random
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.events import CLICK, decode, parse_time_ms
from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS, GEO_ROLLUPS
from streams.operators.device import DeviceOperator
from streams.operators.device_rows import DirtyRows, campaign_totals
from streams.operators.place import PlaceOperator
from streams.state.campaign_totals import CampaignTotals
from streams.state.counters import SubjectCell
from streams.state.device_panes import CampaignKey, PaneStore
from streams.state.output import Output
from streams.state.policy import Clock
from testkit.examples import examples
from testkit.history import Live, scenario
from testkit.records import FakeRecord, body
from tests.streams.test_exactness import POLICY, RULES, T0

SOURCES, PLACES = 3, 4


class Event(NamedTuple):
    """What one event says."""

    source: int
    at_ms: int
    click: bool
    campaign: str
    place: str


class Pipeline:
    """Both hops. `interleaved`: records of different sources may change places on their way."""

    def __init__(self, seed: int, *, interleaved: bool) -> None:
        self._rng = Random(seed)
        self._interleaved = interleaved
        self.devices = [DeviceOperator(number, POLICY, RULES) for number in range(SOURCES)]
        self.places = [PlaceOperator(number, POLICY, RULES) for number in range(PLACES)]
        self.ways: dict[tuple[int, int], deque[Output]] = {}
        self.offsets, self.next = [0] * SOURCES, [0] * PLACES
        self.told: list[Event] = []
        self.taken: list[Event] = []
        self.findings: list[tuple[Any, list[Event]]] = []
        for place in self.places:
            self._listen(place)

    def _listen(self, place: PlaceOperator) -> None:
        add = place.episodes.add

        def note(finding: Any, *rest: Any) -> Any:
            case = add(finding, *rest)
            # of devices hop 1 tells whole windows; of a group none but the strongest member is shown
            if finding.subject.kind != "device" and case.alert.shows(finding):
                self.findings.append((finding, list(self.told)))
            return case

        place.episodes.add = note  # type: ignore[method-assign] # what is judged, before it becomes an episode

    def take(self, event: Event) -> None:
        """One event into hop 1."""
        offset = self.offsets[event.source]
        raw = body(
            event="campaign.click" if event.click else "campaign.impression",
            account_id="acc",
            created_at=iso(event.at_ms),
            activity_id=f"act_{event.source}_{offset}",
            device_id=f"device_{event.source}_{offset % 5}",
            campaign={"id": event.campaign},
            geolocation={"viewer_country": "c", "viewer_region": "r", "viewer_city": event.place},
        )
        self.devices[event.source].apply([FakeRecord(raw, offset, event.source, event.at_ms)])
        self.offsets[event.source] += 1
        self.taken.append(event)

    def flush(self, source: int) -> None:
        """What the source owes, on its way to hop 2."""
        for output in self.devices[source].flush()[0]:
            for number in output.partitions(PLACES) if output.topic is GEO_ROLLUPS else ():
                self.ways.setdefault((source, number), deque()).append(output)
        self.told += [event for event in self.taken if event.source == source]
        self.taken = [event for event in self.taken if event.source != source]
        if not self._interleaved or self._rng.random() < 0.3:
            self.deliver()

    def deliver(self) -> None:
        """All that is on its way: records of one source and partition keep their order."""
        while ways := [way for way, waiting in self.ways.items() if waiting]:
            source, number = self._rng.choice(ways) if self._interleaved else ways[0]
            record = FakeRecord(self.ways[source, number].popleft().value, self.next[number])
            self.places[number].apply([record])
            self.next[number] += 1


steps = st.lists(
    st.builds(
        Event,
        source=st.integers(0, SOURCES - 1),
        at_ms=st.integers(-40_000, 3_000),
        click=st.sampled_from([True, True, False]),
        campaign=st.sampled_from(["cmp_0", "cmp_1", "cmp_2", ""]),
        place=st.sampled_from(["city_0", "city_1"]),
    ),
    min_size=60,
    max_size=160,
)


def run(script: list[Event], seed: int, *, interleaved: bool) -> Pipeline:
    """A second passes per event; a few of them are old."""
    pipeline, rng, now = Pipeline(seed, interleaved=interleaved), Random(seed), T0
    for event in script:
        now += 1000
        back = min(event.at_ms, 0) if rng.random() < 0.2 else 0
        pipeline.take(event._replace(at_ms=now + back))
        if rng.random() < 0.3:
            pipeline.flush(rng.randrange(SOURCES))
    for source in range(SOURCES):
        pipeline.flush(source)
    pipeline.deliver()
    return pipeline


def counted(events: list[Event], finding: Any, *, by_anybody: bool) -> dict[str, int]:
    """Brute force: clicks by campaign in the finding's window, of its subject or of everybody."""
    found: dict[str, int] = {}
    for event in events:
        subject = event.campaign if finding.subject.kind == "campaign" else f"c/r/{event.place}"
        within = event.click and finding.window_start_ms <= event.at_ms < finding.window_end_ms
        if within and (by_anybody or subject == finding.subject.value):
            found[event.campaign] = found.get(event.campaign, 0) + 1
    return found


@examples(150)
@given(script=steps, seed=st.integers(0, 2**32))
def test_shares_equal_brute_force_over_all_that_hop_1_has_told(script, seed):
    """Whatever the order of events and however often each partition is flushed."""
    for finding, told in run(script, seed, interleaved=False).findings:
        mine, everybody = counted(told, finding, by_anybody=False), counted(told, finding, by_anybody=True)
        assert finding.campaigns == mine
        assert finding.details["campaign_clicks"] == {name: everybody[name] for name in mine if name}
        assert finding.details["campaign_shares"] == {
            name: round(clicks / everybody[name], 4) for name, clicks in mine.items() if name
        }


@examples(100)
@given(script=steps, seed=st.integers(0, 2**32))
def test_no_share_is_too_large_when_partitions_overtake_each_other(script, seed):
    """Totals go before the roll-ups they belong to: they may be ahead of a place for a moment, and never behind."""
    pipeline = run(script, seed, interleaved=True)
    for finding, told in pipeline.findings:
        everybody, shares = counted(told, finding, by_anybody=True), finding.details["campaign_shares"]
        assert shares.keys() == {name for name in finding.campaigns if name}
        for name, total in finding.details["campaign_clicks"].items():
            assert finding.campaigns[name] <= total <= everybody[name]
            assert 0 < shares[name] <= 1


def test_the_traffic_above_makes_every_rule_of_places_and_campaigns_fire():
    """Else the properties would prove nothing."""
    rng, fired = Random(1), set()
    for seed in range(30):
        script = [
            Event(
                rng.randrange(SOURCES),
                rng.randint(-40_000, 3000),
                rng.random() < 0.7,
                f"cmp_{n % 2}",
                f"city_{n % 3 % 2}",
            )
            for n in range(120)
        ]
        fired |= {finding.rule for finding, _ in run(script, seed, interleaved=False).findings}
    assert fired >= {"geo_click_burst", "geo_ctr_anomaly", "ctr_anomaly"}


def totals_row(source: int, clicks: dict[str, int]) -> dict[str, Any]:
    """All clicks of some campaigns in one source partition."""
    head = {"pane_start": T0 // 1000, "account_id": "acc", "source_partition": source, "version": 5}
    return head | {"campaign_clicks": clicks}


def place_row(source: int, clicks: int, **campaigns: int) -> dict[str, Any]:
    """A place's clicks in one source partition."""
    head = {"pane_start": T0 // 1000, "account_id": "acc", "source_partition": source, "version": 5}
    counts = {"impressions": clicks, "clicks": clicks, "clicking_devices": clicks, "top_device_clicks": 1}
    return head | counts | {"country": "c", "region": "r", "city": "x", "campaigns": campaigns}


def evidence(*rows: dict[str, Any]) -> dict[str, Any]:
    """Of the alert that these rows raise, as hop 2's subscribers see it."""
    operator = PlaceOperator(0, POLICY, RulesSettings.model_validate(RULES))
    operator.apply([FakeRecord(b"\n".join(map(orjson.dumps, rows)))])
    alerts = [orjson.loads(output.value) for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    return next(alert["evidence"] for alert in alerts if alert["rule"] == "geo_click_burst")


def test_partitions_without_clicks_of_the_place_count_too():
    """They tell what the campaign got elsewhere."""
    found = evidence(totals_row(0, {"cmp_a": 30}), totals_row(1, {"cmp_a": 50, "cmp_b": 7}), place_row(0, 20, cmp_a=20))
    assert found["campaigns"] == {"cmp_a": 20}
    assert found["campaign_clicks"] == {"cmp_a": 80}
    assert found["campaign_shares"] == {"cmp_a": 0.25}


@pytest.mark.parametrize("before", [[], [totals_row(0, {"cmp_a": 3})]])
def test_no_share_where_totals_are_missing(before):
    """Roll-ups of a version that told none, as while workers are replaced."""
    found = evidence(*before, place_row(0, 20, cmp_a=20))
    assert found["campaigns"] == {"cmp_a": 20}
    assert found["campaign_clicks"] == found["campaign_shares"] == {}


def test_five_campaigns_at_most_get_a_share():
    """Those with most of the place's clicks."""
    campaigns = {f"cmp_{n}": n for n in range(1, 9)}
    found = evidence(totals_row(0, {name: 2 * n for name, n in campaigns.items()}), place_row(0, 36, **campaigns))
    assert found["campaign_shares"] == {f"cmp_{n}": 0.5 for n in range(4, 9)}


@pytest.mark.parametrize("name", ["city-flood", "device-farm", "quiet-flood"])
def test_shares_of_simulated_floods_are_within_what_the_plan_holds(name):
    """Brute force over the whole plan: an alert tells what had come when it was judged, never more."""
    log = scenario(name)
    live = Live(RulesSettings(), StreamsSettings(), seed=3)
    live.run(log)
    events = {(event.name, event.activity_id): event for event in (decode(message.entry.value) for message in log)}
    alerts = [alert for alert in live.alerts.values() if alert["subject_kind"] != "device"]
    assert alerts
    for alert in alerts:
        begin, end = parse_time_ms(alert["window_start"]), parse_time_ms(alert["window_end"])
        everybody, mine = Counter[str](), Counter[str]()
        for event in events.values():
            clicked = event.name == CLICK and begin <= parse_time_ms(event.created_at) < end
            if clicked and event.account_id == alert["account_id"]:
                everybody[event.campaign_id] += 1
                mine[event.campaign_id] += alert["subject"] in ("/".join(event.place), event.campaign_id)
        told = alert["evidence"]
        assert told["campaign_shares"]
        for campaign, share in told["campaign_shares"].items():
            assert 0 < share <= 1
            assert told["campaign_clicks"][campaign] <= everybody[campaign]
            assert share == pytest.approx(mine[campaign] / everybody[campaign], abs=0.2)


def test_totals_are_told_again_only_where_clicks_came_or_impressions_late():
    """Every lane gets them, so what is known there is not repeated; impressions that come late explain clicks."""
    cell, dirty = SubjectCell(clicks=3), DirtyRows(0, Clock(2**62), PaneStore(10_000, 60_000))
    dirty.add_subject(0, CampaignKey("acc_1", "cmp_1"), cell)
    assert campaign_totals(dirty.subjects, 0) == {(0, "acc_1"): {"cmp_1": CampaignTotals(3)}}
    dirty.clear()
    cell.impressions += 1
    dirty.add_subject(0, CampaignKey("acc_1", "cmp_1"), cell)
    assert campaign_totals(dirty.subjects, 0) == {}
    assert campaign_totals(dirty.subjects, 1) == {(0, "acc_1"): {"cmp_1": CampaignTotals(3, 1)}}
