"""Clicks on what was never shown."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import ClickWithoutImpression, RulesSettings
from sori.times import iso
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.rules import click_without_impression
from streams.state.policy import TimePolicy
from testkit.records import FakeRecord, event_record

T0 = 1_760_419_200_000
Event = tuple[int, str, str, str]

counts = st.dictionaries(st.sampled_from("abc"), st.integers(0, 20))


@given(matched=counts, unmatched=counts, shown=counts)
def test_each_impression_explains_one_click(matched, unmatched, shown):
    """Orphans never outnumber unmatched clicks, and enough impressions leave none."""
    found = click_without_impression.orphans(matched, unmatched, shown)
    assert 0 <= found <= sum(unmatched.values())
    enough = {campaign: matched.get(campaign, 0) + clicks for campaign, clicks in unmatched.items()}
    assert click_without_impression.orphans(matched, unmatched, enough) == 0


def test_clicks_nobody_was_shown_are_found_unless_they_are_the_smaller_part():
    """Floor and share."""
    rule = ClickWithoutImpression()
    found = click_without_impression.judge({"a": 1}, {"a": 6, "b": 1}, {"a": 1}, rule)
    assert found is not None
    assert found.observed == 7
    assert click_without_impression.judge({"a": 8}, {"a": 6}, {"a": 8}, rule) is None
    assert click_without_impression.judge({}, {"a": 6}, {"a": 1}, rule) is None


def accused(events: list[Event]) -> set[str]:
    """Whom the rule accuses, by device; events: ms after the start, kind, device and campaign."""
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 300_000), RulesSettings())
    records = [
        event_record(n, event=f"campaign.{kind}", device_id=device, campaign={"id": campaign}, created_at=iso(T0 + at))
        for n, (at, kind, device, campaign) in enumerate(sorted([*events, (180_000, "impression", "last", "c")]))
    ]
    operator.apply([FakeRecord(one.value, one.offset, timestamp=T0 + 10**7, headers=one.headers) for one in records])
    owed = [orjson.loads(output.value) for output in operator.flush()[0] if output.topic is FRAUD_ALERTS]
    return {one["subject"] for one in owed if one["rule"] == click_without_impression.NAME}


def clicks(device: str, every_ms: int, campaigns: list[str], shown: int = 0) -> list[Event]:
    """One click on each of these, the first ones `shown` two seconds before."""
    at = [(25_000 + n * every_ms, campaign) for n, campaign in enumerate(campaigns)]
    return [
        *[(time, "click", device, campaign) for time, campaign in at],
        *[(time - 2000, "impression", device, campaign) for time, campaign in at[:shown]],
    ]


CAMPAIGNS = [f"c{n}" for n in range(7)]


@pytest.mark.parametrize(
    ("lost", "campaigns", "shown", "found"),
    [
        (0, CAMPAIGNS * 2, 4, {"bot"}),
        (40, CAMPAIGNS * 2, 4, set()),
        (40, ["x"] * 20, 0, {"bot"}),
        (40, CAMPAIGNS * 5, 0, {"bot"}),
    ],
)
def test_while_impressions_are_lost_more_is_asked_for(lost, campaigns, shown, found):
    """Of others, clicks on seven campaigns lack theirs as well: who clicks a little of all is as they are."""
    others = [click for n in range(40) for click in clicks(f"dev_{n}", 0, [CAMPAIGNS[n % 7]], 1)]
    lacking = [(25_000 + n * 100, "click", f"lost_{n}", CAMPAIGNS[n % 7]) for n in range(lost)]
    assert accused([*others, *lacking, *clicks("bot", 700, campaigns, shown)]) == found


def test_bots_that_are_shown_nothing_do_not_excuse_each_other():
    """Spread over all campaigns, they look as if the account lost its impressions."""
    people = [click for n in range(40) for click in clicks(f"dev_{n}", 0, [CAMPAIGNS[n % 7]], 1)]
    bots = {f"bot_{n}" for n in range(30)}
    clicked = [click for n, bot in enumerate(sorted(bots)) for click in clicks(bot, 17 * n, CAMPAIGNS, 0)]
    assert accused([*people, *clicked]) == bots


def test_the_echo_of_a_tap_lacks_no_impression():
    """A version tells each tap twice, the second time with an id of its own."""
    taps = clicks("dev", 4000, CAMPAIGNS, 7)
    echoes = [(at + 300, kind, device, campaign) for at, kind, device, campaign in taps if kind == "click"]
    assert accused([*taps, *echoes]) == set()
    assert accused([one for one in [*taps, *echoes] if one[1] == "click"]) == {"dev"}


did = st.tuples(st.booleans(), st.sampled_from("abcd"), st.integers(0, 5), st.integers(0, 19_000))


@given(st.lists(did, max_size=40), st.frozensets(st.sampled_from("abcd"), max_size=3))
def test_sums_kept_with_a_pane_say_what_its_cells_say(everything, mine):
    """Of other devices and campaigns, also once cells are packed; each device once a campaign."""
    operator = DeviceOperator(0, TimePolicy(10_000, 60_000, 600_000, 10**12), RulesSettings())
    operator.apply(
        event_record(
            number,
            event="campaign.click" if click else "campaign.impression",
            created_at=iso(T0 + at_ms),
            device_id=f"d{device}",
            campaign={"id": campaign},
        )
        for number, (click, campaign, device, at_ms) in enumerate(sorted(everything, key=lambda one: one[-1]))
    )
    for scope in [scope for pane in operator._store.panes.values() for scope in pane.accounts.values()]:
        cells = [cell for name, cell in scope.campaigns.items() if name not in mine]
        shown = sum(sum((cell.scripts or {}).values()) for cell in cells)
        for device in (f"d{number}" for number in range(6)):
            clicked = sum(len(cell.devices()) - (device in cell.devices()) for cell in cells)
            assert click_without_impression.others(scope, device, mine) == (clicked, min(clicked, shown))
            scope.pack_cells()
            assert click_without_impression.others(scope, device, mine) == (clicked, min(clicked, shown))
