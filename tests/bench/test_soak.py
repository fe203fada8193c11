"""The soak's own judgement: what is flat, what is lost, and what is told when it ends early."""

from __future__ import annotations

import io

from rich.console import Console

from bench.soak.memory import trend
from bench.soak.report import Report, draw, show
from bench.soak.seen import Counted, count
from bench.soak.traffic import Attack


def rising(mb_per_minute: float, until_s: float = 900.0) -> list[tuple[float, float]]:
    """Fifteen minutes of samples of a process that grows until a moment."""
    return [(float(at), 100.0 + min(at, until_s) * mb_per_minute / 60) for at in range(0, 901, 5)]


def test_a_leak_is_not_flat_and_a_plateau_is():
    """Growth is judged where state no longer fills by design; the slope is per hour."""
    leak = trend(rising(4.0), settle_s=600)
    assert not leak.flat
    assert round(leak.slope_mb_h) == 240
    assert trend(rising(9.0, until_s=600), settle_s=600).flat
    assert not trend(rising(9.0, until_s=600)).flat
    assert trend([]).flat


def test_events_are_compared_number_by_number():
    """A refused event may be missing; an accepted one may not, and none may be there twice."""
    assert count(bytearray([1, 1, 0, 1]), [0, 3, 3]) == Counted(accepted=3, stored=3, lost=1, doubled=1)


def test_latency_counts_from_the_click_that_tipped_the_scale():
    """Twenty clicks were observed: the twentieth answer is the beginning."""
    attack = Attack("d", answered=[float(n) for n in range(40)], alerted=20.5, observed=20)
    assert attack.latency_s == 1.5
    assert Attack("d").latency_s is None


def test_what_was_seen_is_told_however_it_ends(tmp_path):
    """An early end is a fault beside the figures, not instead of them."""
    samples = {"streams": rising(4.0)}
    trends = {"streams": trend(samples["streams"])}
    report = Report(1000, seconds=900.0, sent=900_000, error="ClientError: gone", freshness_s=[0.5, 1.0], trends=trends)
    report.asked_again = {"probe, TimeoutError": 3}
    output = io.StringIO()
    show(report, Console(file=output, width=80))
    for part in (
        "900,000",
        "it ended early: ClientError: gone",
        "never compared",
        "memory grows",
        "0.995 s",
        "3 x probe, TimeoutError",
    ):
        assert part in output.getvalue()
    assert report.figures()[0]["events_per_s"] == 1000.0
    draw(samples, report, tmp_path / "memory.svg")
    assert (tmp_path / "memory.svg").stat().st_size > 1000
