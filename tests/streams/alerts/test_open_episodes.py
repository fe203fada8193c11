"""What keeps an episode open, and how much its records say while it is."""

from __future__ import annotations

import orjson
import pytest

from sori.settings.rules import RulesSettings
from streams.alerts.episodes import MEMBERS_PER_UPDATE, EpisodeBook
from streams.alerts.grouping import Slots
from streams.alerts.record import Finding, Subject
from streams.rules.context import Evidence, RuleContext
from streams.rules.judgement import Judgement
from streams.state.checkpoint import ReplayStart
from streams.state.policy import Clock, EpisodePolicy, TimePolicy

T0, PANE_MS, COOLDOWN_MS = 1_760_419_200_000, 10_000, 10_000
POLICY = TimePolicy(pane_ms=PANE_MS, window_ms=30_000, lateness_ms=100_000, max_skew_ms=60_000)
RULES = RulesSettings.model_validate({"episodes": {"cooldown_s": COOLDOWN_MS // 1000}})
BOT = Subject("acc", "device", "bot")


def report(context: RuleContext, subject: Subject, at_ms: int) -> None:
    """The rule finds ten of something."""
    context.report(
        "rule",
        traffic_class="GIVT",
        subject=subject,
        found=Judgement(10, 0, 5, "low"),
        evidence=Evidence(at_ms - PANE_MS, at_ms),
        at_ms=at_ms,
    )


def test_an_event_that_is_not_judged_keeps_the_episode_open_as_a_finding_would():
    """Both who asks whether a device is suspect and who closes the episode count from that event on."""
    book, clock = EpisodeBook(EpisodePolicy.of(RULES, POLICY.lateness_ms), PANE_MS), Clock()
    context = RuleContext(RULES, POLICY, book, clock, lambda: ReplayStart(0, 0))
    clock.watermark = T0 + 1_000
    report(context, BOT, clock.watermark)
    clock.watermark = last = T0 + 9_000
    assert context.settled(context.open_subject(BOT), "rule", last)
    clock.watermark = last + COOLDOWN_MS
    book.sweep(clock.watermark)
    assert context.open_subject(BOT) is not None
    assert [episode.last_ms for episode in book.open_episodes] == [last]
    clock.watermark += 1
    book.sweep(clock.watermark)
    assert context.open_subject(BOT) is None
    assert not book.open_episodes


@pytest.mark.parametrize("devices", [1, 90, 900])
def test_the_updates_of_a_group_carry_so_many_names_at_most_in_a_stretch_of_time_however_many_its_members(devices):
    """A record names every member, so that the newest one says all; the more there are, the rarer it is."""
    policy = EpisodePolicy(900_000, 5_000, 3_600_000, 3_600_000, 3_600_000, group_from=1, group_window_ms=60_000)
    book, names, seconds = EpisodeBook(policy, PANE_MS), 0, 300
    book.group("rule", Slots(60_000, 600_000))
    for second in range(seconds):
        at_ms = T0 + second * 1000
        for bot in range(devices):
            if second == 0 or bot == second % devices:
                subject = BOT._replace(value=f"bot_{bot}")
                finding = Finding("rule", subject, at_ms - PANE_MS, at_ms, 10, 0, 5, "low", "GIVT")
                book.add(finding, at_ms, at_ms, lambda: ReplayStart(0, 0))
        book.show_due(at_ms)
        for output in book.flush(second):
            evidence = orjson.loads(output.value)["evidence"]
            assert evidence["member_count"] == len(evidence["members"]) == devices
            names += len(evidence["members"]) if second else 0
    updates = seconds * 1000 // policy.update_every_ms
    assert 0 < names <= updates * (MEMBERS_PER_UPDATE + 1)


def test_a_late_finding_leaves_what_is_known_of_the_newest_step():
    """How much the subject has grown since is still held against the newest count, not against an older one."""
    book = EpisodeBook(EpisodePolicy.of(RULES, POLICY.lateness_ms), PANE_MS)
    for at_ms, observed in ((T0 + PANE_MS, 100), (T0, 5)):
        finding = Finding("rule", BOT, at_ms - PANE_MS, at_ms, observed, 0, 5, "low", "GIVT")
        case = book.add(finding, at_ms, T0 + PANE_MS, lambda: ReplayStart(0, 0))
        case.unjudged += 1
    assert (case.observed, case.unjudged, case.step_begin_ms) == (100, 2, T0 + PANE_MS)


def test_places_and_campaigns_that_one_rule_accuses_share_no_alert():
    """Members are named by their values: of another kind one was forgotten by nobody, and no snapshot could be read."""
    policy = EpisodePolicy(COOLDOWN_MS, 5_000, 3_600_000, 3_600_000, 3_600_000, group_from=1, group_window_ms=60_000)
    book = EpisodeBook(policy, PANE_MS)
    book.group("rule", Slots(60_000, 600_000))
    for kind, value in (("place", "a/b/c"), ("campaign", "cmp"), ("place", "a/b/d"), ("campaign", "cmp_2")):
        finding = Finding("rule", Subject("acc", kind, value), T0 - PANE_MS, T0, 10, 0, 5, "low", "SIVT")
        book.add(finding, T0, T0, lambda: ReplayStart(0, 0))
    alerts = [orjson.loads(output.value) for output in book.flush(1)]
    members = {alert["subject_kind"]: alert["evidence"]["members"] for alert in alerts}
    assert members == {"place": ["a/b/c", "a/b/d"], "campaign": ["cmp", "cmp_2"]}
    again = EpisodeBook(policy, PANE_MS)
    again.restore(book.state())
    assert [one.members for one in again.open_episodes] == [one.members for one in book.open_episodes]
    book.sweep(T0 + 60_000)
    assert not book.cases
