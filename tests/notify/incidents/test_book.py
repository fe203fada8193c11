"""Which alerts are one incident: whatever the order, whatever is repeated, over any crash."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson
from hypothesis import given
from hypothesis import strategies as st

from notify.incidents.book import IncidentBook, IncidentPolicy, span_of
from notify.incidents.growing import text_bytes
from notify.incidents.things import things_of
from sori.alerting.alert import Alert, parse_alert
from sori.alerting.incident import Incident, encode_incident, parse_incident
from sori.alerting.story import story
from sori.times import iso
from sori.topics import MOST_BYTES
from testkit.alerts import alert
from testkit.examples import examples

POLICY = IncidentPolicy()
BASE_MS = 1_790_000_000_000
MINUTE_MS = 60_000


def one(
    name: str,
    *,
    kind: str = "device",
    subject: str = "dev_1",
    begin: float = 0,
    end: float = 1,
    campaigns: dict[str, int] | None = None,
    state: str = "opened",
    version: int = 1,
    severity: str = "high",
    rule: str = "device_click_burst",
    account: str = "acc_1",
    **evidence: object,
) -> Alert:
    """An alert; `begin` and `end` in minutes."""
    times = {"window_start": iso(int(BASE_MS + begin * MINUTE_MS)), "updated_at": iso(int(BASE_MS + end * MINUTE_MS))}
    record = alert(
        **times,
        window_end=times["updated_at"],
        opened_at=times["window_start"],
        closed_at=times["updated_at"] if state in ("closed", "withdrawn") else None,
        alert_id=name,
        subject_kind=kind,
        subject=subject,
        state=state,
        version=version,
        severity=severity,
        rule=rule,
        account_id=account,
        evidence={"sample_event_ids": [], "campaigns": campaigns or {}, "findings": 1, **evidence},
    )
    return parse_alert(orjson.dumps(record))


def told(book: IncidentBook, *alerts: Alert) -> list[tuple[str, str, str]]:
    """Change, state and severity of what each alert makes the book write, one flush after each."""
    found = []
    for each in alerts:
        book.apply(each, BASE_MS, story={}.get(each.alert_id, f"story of {each.alert_id}"))
        found += [(record.change, record.state, record.severity) for record in book.flush(1)]
    return found


def groups(book: IncidentBook, alerts: Iterable[Alert]) -> frozenset[frozenset[str]]:
    """The alerts of each incident."""
    ids = {each.alert_id for each in alerts}
    by: dict[str | None, set[str]] = {}
    for name in ids:
        by.setdefault(book.incident_of(name), set()).add(name)
    assert None not in by
    return frozenset(map(frozenset, by.values()))


def test_three_rules_about_one_thing_are_one_incident_with_one_story():
    """A device, its campaign, and the place whose clicks were mostly on that campaign; another account has its own."""
    book = IncidentBook(POLICY)
    mine = [
        one("a", subject="dev_91c0", campaigns={"Spring": 60, "Autumn": 4}),
        one("b", kind="place", subject="Germany/NRW/Cologne", rule="geo_ctr_anomaly", campaigns={"Spring": 90}),
        one("c", kind="campaign", subject="Spring", rule="ctr_anomaly", severity="critical", begin=5),
    ]
    other = one("d", account="acc_2", subject="dev_91c0", campaigns={"Spring": 60})
    for each in (*mine, other):
        book.apply(each, BASE_MS, story=f"story of {each.alert_id}")
    records = {record.account_id: record for record in book.flush(7)}
    assert groups(book, [*mine, other]) == {frozenset("abc"), frozenset("d")}
    found = records["acc_1"]
    assert found.story == "3 rules, 1 device in Cologne, Germany on campaign Spring: story of c"
    assert (found.change, found.severity, found.alert_count, found.open_alerts) == ("opened", "critical", 3, 3)
    assert found.subjects == ("device dev_91c0", "place Germany/NRW/Cologne", "campaign Spring")
    assert set(found.affected_campaigns) == {"Spring", "Autumn"}
    assert records["acc_2"].story == "story of d"


def test_a_thing_in_passing_is_not_shared():
    """A campaign that explains little of it, an unknown place, and what is over for longer than the gap."""
    apart = [
        one("a", campaigns={"Spring": 4, "Autumn": 6, "Winter": 5}),
        one("b", subject="dev_2", campaigns={"Spring": 9}),
        one("c", kind="place", subject="Unknown/Unknown/Unknown", begin=0),
        one("d", kind="place", subject="Unknown/Unknown/Unknown", begin=1, rule="device_farm"),
        one("e", subject="dev_1", begin=6.1, end=7),
    ]
    book = IncidentBook(POLICY)
    for each in apart:
        book.apply(each, BASE_MS)
    assert len(groups(book, apart)) == len(apart)


def test_it_lives_as_its_alerts_do():
    """Open while one is, graver when one is, closed with the last, open again for a new one, taken back with all."""
    book = IncidentBook(POLICY)
    assert told(
        book,
        one("a", severity="low"),
        one("a", severity="low", version=2, end=2),
        one("b", rule="fast_click", severity="high"),
        one("a", state="closed", version=3),
        one("b", rule="fast_click", severity="high", state="closed", version=2),
        one("c", rule="duplicate_click", begin=3, end=4, severity="low"),
        one("c", rule="duplicate_click", begin=3, end=4, severity="low", state="closed", version=2),
    ) == [
        ("opened", "open", "low"),
        ("updated", "open", "low"),
        ("escalated", "open", "high"),
        ("updated", "open", "high"),
        ("closed", "closed", "high"),
        ("reopened", "open", "high"),
        ("closed", "closed", "high"),
    ]
    assert told(
        book,
        one("a", state="withdrawn", version=9, severity="low"),
        one("b", state="withdrawn", version=9, severity="high"),
        one("c", state="withdrawn", version=9, severity="low"),
    ) == [("updated", "closed", "high"), ("updated", "closed", "low"), ("withdrawn", "withdrawn", "high")]


def test_what_nobody_heard_of_is_not_taken_back():
    """Opened and withdrawn before it was written: kept, and no news."""
    book = IncidentBook(POLICY)
    book.apply(one("a"), BASE_MS)
    book.apply(one("a", state="withdrawn", version=2), BASE_MS)
    assert [(record.change, record.state) for record in book.flush(1)] == [("updated", "withdrawn")]


def test_two_incidents_that_prove_one_go_into_the_one_that_is_known():
    """The younger one ends, and says where it went."""
    book = IncidentBook(POLICY)
    first, second = one("a", begin=1), one("b", subject="dev_2", begin=2)
    assert told(book, first, second) == [("opened", "open", "high")] * 2
    book.apply(one("c", kind="campaign", subject="Spring", begin=3), BASE_MS)
    book.apply(one("b", subject="dev_2", campaigns={"Spring": 9}, version=2, begin=2), BASE_MS)
    book.apply(one("a", campaigns={"Spring": 9}, version=2, begin=1), BASE_MS)
    records = {record.incident_id: record for record in book.flush(2)}
    kept = book.incident_of("a")
    assert {book.incident_of(name) for name in "abc"} == {kept}
    assert [r.merged_into for r in records.values() if r.change == "merged"] == [kept]
    assert records[kept].alert_count == 3
    assert len(records) == 2  # that of `c` was never told


def test_a_group_is_one_alert_of_many_devices():
    """Its members join it with what they do by themselves."""
    book = IncidentBook(POLICY)
    names = [f"dev_{n}" for n in range(30)]
    book.apply(one("a", subject="dev_0", members=names, member_count=30), BASE_MS, "30 devices at once")
    book.apply(one("b", subject="dev_29", rule="fast_click", severity="low"), BASE_MS)
    (record,) = book.flush(1)
    assert (record.alert_count, record.alerts[0].count) == (2, 30)
    assert record.story == "2 rules, 30 devices: 30 devices at once"


def test_a_storm_is_bounded():
    """Alerts with nothing in common: of one rule they join, and no incident has more alerts than it may."""
    policy = IncidentPolicy(most_alerts=10, most_of_rule=3, most_open=5, most_of_account=12, most_things=20)
    book = IncidentBook(policy)
    alerts = [one(f"a{n}", subject=f"dev_{n}", begin=n / 100) for n in range(300)]
    for n, each in enumerate(alerts):
        book.apply(each, BASE_MS)
        assert all(len(record.alerts) <= 10 and len(record.devices) <= 20 for record in book.flush(1))
        assert n > 12 or len({book.incident_of(f"a{m}") for m in range(n + 1)}) == min(3, n + 1)
    assert len(book._incidents) <= 12
    assert len(book._of_alert) <= 120


def test_what_is_long_over_is_forgotten_and_what_is_silent_is_over():
    """Both by the alerts' own time."""
    book = IncidentBook(POLICY)
    told(book, one("a", state="closed"), one("b", subject="dev_2", rule="fast_click"))
    assert book.sweep() == []
    told(book, one("c", subject="dev_3", begin=25 * 60, end=25 * 60))
    (gone,) = book.sweep()
    assert book.incident_of("a") is None
    assert [(record.change, record.open_alerts) for record in book.flush(9)] == [("closed", 0)]
    assert gone not in {book.incident_of("b"), book.incident_of("c")}


def test_a_record_can_be_written_however_long_its_names_are():
    """One that Kafka does not take would be tried for ever, and no account's incidents would be told any more."""
    book = IncidentBook(POLICY)
    names = ["".join((f"{n:04}", "\x01" * 4092)) for n in range(200)]
    for n in range(100):
        crowd = {"members": names, "member_count": len(names)}
        book.apply(one(f"a{n}", subject=names[n], campaigns={names[n]: 5}, **crowd), BASE_MS, "\x01" * 300)
    records = book.flush(1)
    assert sum(record.alert_count for record in records) == 100
    assert max(len(encode_incident(record)) for record in records) < MOST_BYTES // 2


def counts_are_true(book: IncidentBook) -> bool:
    """What is counted as alerts come is what a count of them all says."""
    return all(
        (it.going_on, it.rules, it.text_bytes, it.name_bytes)
        == (
            sum(not member.ended for member in it.members.values()),
            {member.rule for member in it.members.values()},
            sum(map(text_bytes, it.members.values())),
            sum(len(orjson.dumps(name)) for _, name in it.things),
        )
        for it in book._incidents.values()
    )


TIMES = st.integers(0, 40)


@st.composite
def histories(draw: st.DrawFn) -> list[list[Alert]]:
    """Alerts, each with all its states in order."""
    found = []
    for n in range(draw(st.integers(1, 7))):
        kind, subject = draw(
            st.sampled_from([("device", "d1"), ("device", "d2"), ("campaign", "c1"), ("place", "X/y/z")])
        )
        begin = draw(TIMES)
        states, end = [], begin
        for version in range(draw(st.integers(1, 3))):
            end += draw(st.integers(0, 6))
            main = draw(st.sampled_from(["c1", "c2", "c3", ""]))
            states.append((version, end, {main: 5} if main else {}))
        last = draw(st.sampled_from(["updated", "closed", "withdrawn"]))
        found.append(
            [
                one(
                    f"a{n}",
                    kind=kind,
                    subject=subject,
                    begin=begin,
                    end=end,
                    campaigns=campaigns,
                    version=version + 1,
                    state=last if version == len(states) - 1 else "updated",
                    rule=f"rule_{n % 3}",
                )
                for version, end, campaigns in states
            ]
        )
    return found


def interleaved(draw: st.DrawFn, alerts: Sequence[Sequence[Alert]]) -> list[Alert]:
    """Some order in which each alert's own states stay in order."""
    left = [list(states) for states in alerts]
    found = []
    while any(left):
        which = draw(st.integers(0, sum(bool(states) for states in left) - 1))
        found.append([states for states in left if states][which].pop(0))
    return found


def closure(alerts: Sequence[Sequence[Alert]]) -> frozenset[frozenset[str]]:
    """The same, said without any state: join what shares a thing and lies near, until nothing changes."""
    blocks = []
    for states in alerts:
        spans = [span_of(each, 0) for each in states]
        things = {thing for each in states for thing in things_of(each)}
        blocks.append(({states[0].alert_id}, things, min(b for b, _ in spans), max(e for _, e in spans)))
    while True:
        for i, (ids, things, begin, end) in enumerate(blocks):
            for j, (more, others, first, last) in enumerate(blocks[:i]):
                if things & others and begin <= last + POLICY.gap_ms and first <= end + POLICY.gap_ms:
                    del blocks[i], blocks[j]
                    blocks.append((ids | more, things | others, min(begin, first), max(end, last)))
                    break
            else:
                continue
            break
        else:
            return frozenset(frozenset(ids) for ids, *_ in blocks)


@given(st.data())
@examples(150)
def test_any_order_and_any_repetition_make_the_same_incidents(data: st.DataObject):
    """As long as no bound is met: those that joining alone says."""
    alerts = data.draw(histories())
    order = interleaved(data.draw, alerts)
    repeated = [each for each in order for _ in range(data.draw(st.integers(1, 2)))]
    late = data.draw(st.lists(st.sampled_from(order), max_size=4))
    book = IncidentBook(POLICY)
    for each in [*repeated, *late]:
        book.apply(each, BASE_MS)
    assert groups(book, order) == closure(alerts)
    assert counts_are_true(book)
    book.flush(1)
    for each in order:
        book.apply(each, BASE_MS)
    assert not book.owes  # all of it was known


@given(st.data())
@examples(100)
def test_a_crash_loses_none_and_makes_none_twice(data: st.DataObject):
    """Restored from what was written of it, and read again from an older position."""
    alerts = data.draw(histories())
    order = interleaved(data.draw, alerts)
    written: dict[str, Incident] = {}
    book, committed, told_ids = IncidentBook(POLICY), 0, []
    position = 0
    while position < len(order):
        book.apply(order[position], BASE_MS)
        position += 1
        what = data.draw(st.sampled_from(["go on", "write", "write and commit", "crash", "write half and crash"]))
        if what.startswith("write"):
            records = book.flush(5)
            if what == "write half and crash":
                records = records[: len(records) // 2]
            for record in records:
                written[record.incident_id] = parse_incident(encode_incident(record))
                told_ids.append((record.incident_id, record.version))
            committed = position if what == "write and commit" else committed
        if what.endswith("crash"):
            book, position = IncidentBook(POLICY), committed
            book.restore(written.values())
            assert counts_are_true(book)
    for record in book.flush(6):
        written[record.incident_id] = record
        told_ids.append((record.incident_id, record.version))
    assert len(told_ids) == len(set(told_ids))
    assert groups(book, order) == closure(alerts)
    standing = [frozenset(record.alert_ids) for record in written.values() if not record.merged_into]
    assert frozenset(standing) == closure(alerts)
    assert sum(map(len, standing)) == len(alerts)


def test_a_story_of_real_alerts():
    """With the sentence of the gravest."""
    book = IncidentBook(POLICY)
    for name, rule in (("a", "device_click_burst"), ("b", "fast_click")):
        each = one(name, rule=rule, campaigns={"Spring": 20}, severity="high" if name == "a" else "low")
        book.apply(each, BASE_MS, story=story({"rule": rule, "subject_kind": "device", "subject": "d", "observed": 64}))
    (record,) = book.flush(1)
    assert record.story == "2 rules, 1 device on campaign Spring: Device d clicked 64 times, none expected"
