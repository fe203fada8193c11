"""What may still be put right is looked at when its time has come, and forgotten with all that points to it."""

from __future__ import annotations

from dataclasses import dataclass

from streams.alerts.corrections import MAX_STEPS, Correctable, Corrections, Stands
from streams.alerts.episode import Case, Episode
from streams.alerts.record import Finding, Subject
from streams.state.checkpoint import ReplayStart

LONG_MS = 600_000


@dataclass
class Missing:
    """A finding that rests on nothing but impressions that are missing."""

    missing: list[str]

    def explain(self, *_: object) -> bool:
        """It is not asked here."""
        return False

    def hold(self) -> bool:
        """Nor here."""
        return True

    @property
    def state(self) -> object:
        """Nothing is stored of it."""
        return self.missing


def accused(corrections: Corrections, device: str, at_ms: int) -> Case:
    """A device with a finding."""
    subject, start = Subject("a", "device", device), ReplayStart(0, 0)
    finding = Finding("click_without_impression", subject, 0, at_ms, 6, 0, 6, "low", "SIVT")
    case = Case(Episode(1, subject, at_ms, LONG_MS, start, start, finding, at_ms, at_ms), at_ms)
    corrections.note("click_without_impression", subject, case, at_ms, Missing([f"{device}-1", "shared"]))
    return case


def test_a_sweep_looks_at_nobody_whose_time_has_not_come(monkeypatch):
    """However many are held."""
    corrections, looked, inner = Corrections(LONG_MS), [], Corrections._over
    for number in range(500):
        accused(corrections, f"bot_{number}", number * 10)
    monkeypatch.setattr(Corrections, "_over", lambda *args: looked.append(1) or inner(*args))
    for watermark_ms in range(0, LONG_MS, 1000):
        corrections.sweep(watermark_ms)
    assert not looked
    corrections.sweep(LONG_MS + 1000)
    assert len(looked) <= 101
    assert len(corrections) == 500 - 100


def test_whoever_is_forgotten_is_missed_by_no_impression_and_others_still_are():
    """Also where several wait for the same one; and an alert that goes on is held as long as it does."""
    corrections = Corrections(LONG_MS)
    first, second = accused(corrections, "first", 1000), accused(corrections, "second", 1000)
    second.alert.last_ms = 50_000
    corrections.sweep(LONG_MS + 1001)
    assert first.alert.subject not in corrections
    assert list(corrections.missing("a", "shared")) == [second.alert.subject]
    assert not corrections.missing("a", "first-1")
    corrections.sweep(LONG_MS + 50_001)
    assert len(corrections) == 0
    assert not corrections.missing("a", "shared")


def test_what_was_restored_is_forgotten_in_time_too():
    """As after a snapshot."""
    corrections, kept = Corrections(LONG_MS), Corrections(LONG_MS)
    accused(kept, "bot", 1000)
    corrections.restore([Correctable(one.rule, one.subject, one.case, one.alert, one.grounds) for one in kept.held], [])
    assert corrections.missing("a", "bot-1")
    corrections.sweep(LONG_MS + 1001)
    assert not corrections.missing("a", "bot-1")


def test_who_is_kept_only_until_the_next_sweep_can_be_explained_no_more():
    """Whoever resumed since does not have it; nor what was taken back, or stands whatever comes."""
    corrections = Corrections(LONG_MS)
    subject = accused(corrections, "bot", 1000).alert.subject
    assert corrections.may_explain(subject, LONG_MS + 1000)
    assert not corrections.may_explain(subject, LONG_MS + 1001)
    assert subject in corrections
    assert not corrections.may_explain(Subject("a", "device", "another"), 1000)
    corrections.take_back(next(iter(corrections.held)))
    assert not corrections.may_explain(subject, 1000)
    case = accused(corrections, "script", 1000)
    for step in range(MAX_STEPS):
        corrections.note("click_without_impression", case.alert.subject, case, step, Missing(["one"]))
    assert not corrections.may_explain(case.alert.subject, 1000)


def test_an_alert_about_what_happened_earlier_is_forgotten_sooner_though_it_is_known_later():
    """Else who resumes, and knows of fewer alerts of the subject, holds other ones; and the log longer."""
    corrections = Corrections(LONG_MS)
    accused(corrections, "bot", 50_000)
    early = accused(corrections, "bot", 1000).alert
    corrections.sweep(LONG_MS + 1001)
    assert [one.alert.last_ms for one in corrections.held] == [50_000]
    assert early not in [one.alert for one in corrections.held]
    corrections.sweep(LONG_MS + 50_001)
    assert len(corrections) == 0


def test_a_finding_is_beyond_doubt_only_after_enough_panes_over_long_enough():
    """Neither many findings at once nor two far apart: late impressions could explain all of them still."""
    subject = Subject("a", "device", "bot")

    def stands(*steps: int) -> bool:
        corrections = Corrections(LONG_MS, Stands(2, 50))
        case = accused(corrections, "bot", steps[0])
        for step in steps[1:]:
            corrections.note("click_without_impression", subject, case, step, Missing([]))
        return next(iter(corrections.held)).stands

    assert not stands(0, 10, 20)
    assert not stands(0, 90)
    assert stands(0, 10, 50)
