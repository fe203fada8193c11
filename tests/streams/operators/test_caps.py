"""A sender who makes up campaigns, places or accounts: what is held is bounded, and no part is told as the whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sori.settings.rules import RulesSettings
from sori.topics import CTR_WINDOWS, DEVICE_WINDOWS, FRAUD_ALERTS, GEO_ROLLUPS, LATE
from streams.operators.device import DeviceOperator
from streams.operators.device_rows import MOST_ROWS
from streams.state.policy import StateCaps
from testkit.examples import examples
from testkit.records import FakeRecord
from tests.streams.operators.test_device import POLICY, T0, record, rows

CAPS = StateCaps(rows=6, account_rows=4, accounts=3, subjects=8, account_subjects=5)


def capped() -> DeviceOperator:
    """With small caps."""
    return DeviceOperator(3, replace(POLICY, caps=CAPS), RulesSettings())


def invented(first: int, count: int, account: str = "hot") -> list[FakeRecord]:
    """Impressions, each of a campaign and a city that no other has."""
    return [
        record(
            number,
            T0 + number,
            account_id=account,
            campaign={"id": f"cmp_{number}"},
            geolocation={"viewer_country": "c", "viewer_region": "r", "viewer_city": f"city_{number}"},
        )
        for number in range(first, first + count)
    ]


def held(subject: DeviceOperator) -> Counter[str]:
    """How much of what the state has."""
    store = subject._store
    scopes = [scope for window in store.windows.values() for scope in window.accounts.values()]
    panes = [scope for pane in store.panes.values() for scope in pane.accounts.values()]
    return Counter(
        accounts=len(scopes),
        rows=sum(len(scope.ctr) for scope in scopes),
        subjects=sum(len(scope.places) + len(scope.campaigns) for scope in panes),
    )


def test_rows_beyond_the_cap_are_left_to_a_recount_and_the_others_are_whole() -> None:
    """Four rows of an account; whatever else it sends is told as late, and what is published is never a part."""
    subject = capped()
    subject.apply([*invented(0, 50), *invented(0, 2, account="calm"), record(60, T0, account_id="hot")])
    again = [
        replace(one, value=(one.value or b"").replace(b"act_", b"more_"), offset=one.offset + 70)
        for one in invented(0, 2)
    ]
    subject.apply(again)
    outputs, _ = subject.flush()
    published = rows(outputs, CTR_WINDOWS)
    assert [(row["account_id"], row["campaign_id"], row["impressions"]) for row in published] == [
        ("hot", "cmp_0", 2),
        ("hot", "cmp_1", 2),
        ("hot", "cmp_2", 1),
        ("hot", "cmp_3", 1),
        ("calm", "cmp_0", 1),
        ("calm", "cmp_1", 1),
    ]
    late = rows(outputs, LATE)
    assert {row["reason"] for row in late} == {"capped"}
    assert {row["account_id"] for row in late} == {"hot"}
    assert sum(row["impressions"] for row in published) + len(late) == 55
    assert held(subject)["rows"] == 6
    assert subject.take_counters().capped_rows == len(late) == 47


def test_accounts_beyond_the_cap_are_left_to_a_recount() -> None:
    """Three accounts of a window are held; those that are, go on."""
    subject = capped()
    subject.apply([record(n, T0 + n, account_id=f"acc_{n}") for n in range(40)])
    subject.apply([record(40, T0, account_id="acc_0"), record(41, T0, account_id="acc_30")])
    outputs, _ = subject.flush()
    assert {row["account_id"] for row in rows(outputs, CTR_WINDOWS)} == {"acc_0", "acc_1", "acc_2"}
    assert len(rows(outputs, LATE)) == 38
    assert held(subject)["accounts"] == 3
    assert subject.take_counters().capped_accounts == 38


def test_places_beyond_the_cap_are_not_told_to_hop_2() -> None:
    """Their rows are published; no rule judges them, and that is counted."""
    subject = DeviceOperator(3, replace(POLICY, caps=replace(CAPS, rows=1_000, account_rows=1_000)), RulesSettings())
    subject.apply(invented(0, 30))
    outputs, _ = subject.flush()
    assert len(rows(outputs, CTR_WINDOWS)) == 30
    assert len([row for row in rows(outputs, GEO_ROLLUPS) if "campaign_clicks" not in row]) == 5
    assert held(subject)["subjects"] == 5
    assert subject.take_counters().capped_subjects > 0


def test_a_record_for_hop_2_has_few_rows_whatever_places_are_made_up(monkeypatch) -> None:
    """Whoever makes up places can have them all in one lane; hop 2 applies a record at once, and judges each row."""
    monkeypatch.setattr("streams.operators.device_rows.subject_lane", lambda _: 5)
    subject = DeviceOperator(3, POLICY, RulesSettings())
    subject.apply(invented(0, 500))
    told = [output for output in subject.flush()[0] if output.topic is GEO_ROLLUPS]
    assert sum(output.rows for output in told) == 1_000
    assert max(output.rows for output in told) == MOST_ROWS
    assert {output.lane for output in told} == {5}


def test_who_fills_his_account_is_seen_all_the_same() -> None:
    """A bot that clicks on campaigns it makes up has its device window, whole, and its alert."""
    subject = capped()
    clicks = [
        record(n, T0 + n * 100, event="campaign.click", account_id="hot", device_id="bot", campaign={"id": f"c{n}"})
        for n in range(60)
    ]
    subject.apply(clicks)
    outputs, _ = subject.flush()
    assert [row["clicks"] for row in rows(outputs, DEVICE_WINDOWS)] == [60]
    assert "device_click_burst" in {row["rule"] for row in rows(outputs, FRAUD_ALERTS)}


def test_an_impression_that_was_not_counted_still_explains_its_click() -> None:
    """Else honest devices of an account that has grown would be accused of clicking what they were not shown."""
    subject = capped()
    subject.apply(invented(0, 10))
    clicks = [
        record(
            100 + n,
            T0 + 70_000 + n * 1_000,
            event="campaign.click",
            account_id="hot",
            activity_id=f"act_{n}",
            campaign={"id": f"cmp_{n}"},
        )
        for n in range(10)
    ]
    subject.apply([*clicks, record(200, T0 + 400_000, account_id="calm")])
    outputs, _ = subject.flush()
    assert [row["rule"] for row in rows(outputs, FRAUD_ALERTS) if row["rule"] == "click_without_impression"] == []


@examples(60)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_every_event_is_published_or_left_to_a_recount(seed: int, cuts: list[int]) -> None:
    """Whatever comes and wherever it is flushed: each row is all events of its key, or no row and all of them late."""
    dice = Random(seed)
    subject, sent, late = capped(), Counter[tuple[str, str, int]](), Counter[tuple[str, str, int]]()
    newest: dict[tuple[str, str, int], int] = {}
    for offset in range(120):
        account, campaign = f"acc_{dice.randrange(5)}", f"cmp_{dice.randrange(6)}"
        time_ms = T0 + dice.randrange(240_000)
        key = account, campaign, time_ms // 60_000 * 60
        sent[key] += 1
        subject.apply([record(offset, time_ms, account_id=account, campaign={"id": campaign})])
        if offset % cuts[offset % len(cuts)] == 0 or offset == 119:
            outputs, _ = subject.flush()
            for row in rows(outputs, CTR_WINDOWS):
                newest[row["account_id"], row["campaign_id"], row["window_start"]] = row["impressions"]
            for row in rows(outputs, LATE):
                late[row["account_id"], "", row["window_start"]] += 1
    assert {key: sent[key] for key in newest} == newest
    unpublished = Counter[tuple[str, str, int]]()
    for key, count in sent.items():
        if key not in newest:
            unpublished[key[0], "", key[2]] += count
    assert late == unpublished


@pytest.mark.parametrize("field", ["rows", "account_rows", "accounts", "subjects", "account_subjects"])
def test_caps_are_part_of_what_state_is_counted_by(field: str) -> None:
    """So a restart with other caps judges anew what it may judge otherwise."""
    other = replace(POLICY, caps=replace(CAPS, **{field: 1_000}))
    assert other.parts() != replace(POLICY, caps=CAPS).parts()
