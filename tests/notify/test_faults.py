"""What happens to alerts when a subscriber misbehaves: whole outages in simulated time."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from notify.retry_policy import Outcome, parse_retry_after
from testkit.receivers import DOWN, OK, Simulation, policy

HOUR, DAY = 3600.0, 86_400.0


def in_order_per_subject(simulation: Simulation) -> bool:
    """First deliveries of each subject are in the order of the log."""
    seen: dict[str, int] = {}
    for offset in dict.fromkeys(simulation.order):
        subject = simulation.log[offset][1]
        if seen.get(subject, -1) > offset:
            return False
        seen[subject] = offset
    return True


def test_a_single_alert_is_tried_on_the_schedule_of_the_standard():
    """At once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, each up to a fifth later."""
    tried = [at for at, _ in Simulation(lambda *_: DOWN).alerts((0.0, "dev")).run(4 * DAY).tried]
    waits = [after - before - 0.05 for before, after in pairwise(tried)]
    for wait, least in zip(waits, policy().retry_delays_s, strict=True):
        assert least <= wait <= least * 1.2 + 1


def test_down_for_the_whole_schedule_loses_nothing():
    """The subscriber is disabled after five days, its alerts wait, and resuming delivers every one of them in order."""
    back_s = 6 * DAY
    simulation = Simulation(lambda now, _: OK if now > back_s else DOWN, window=16)
    simulation.alerts(*[(n * 600.0, f"dev_{n % 5}") for n in range(900)]).run(back_s)
    assert simulation.subscriber.disabled == "failing"
    tried = len(simulation.tried)
    simulation.run(7 * DAY)
    assert len(simulation.tried) == tried, "a disabled subscriber is left alone"
    simulation.subscriber.resume(simulation.now_s)
    simulation.run(8 * DAY)
    assert sorted(simulation.delivered) == list(range(900))
    assert in_order_per_subject(simulation)
    assert not simulation.exhausted


def test_a_dead_subscriber_is_not_hammered():
    """A thousand alerts over a day of outage, yet at most one attempt a minute."""
    simulation = Simulation(lambda *_: DOWN).alerts(*[(n * 60.0, f"dev_{n}") for n in range(1000)]).run(DAY)
    late = [at for at, _ in simulation.tried if at > 600]
    assert min(b - a for a, b in pairwise(late)) > 40
    assert simulation.subscriber.waiting == 256, "the rest waits in Kafka"


def test_after_an_outage_everything_goes_out_at_once():
    """The next alert finds out that the subscriber is back; nobody waits hours for a schedule."""
    simulation = Simulation(lambda now, _: OK if now > 2 * HOUR else DOWN)
    simulation.alerts(*[(n * 10.0, f"dev_{n}") for n in range(50)], (2 * HOUR + 60, "dev_new")).run(2 * HOUR + 200)
    assert len(simulation.delivered) == 51


def test_with_a_full_window_an_old_alert_finds_out_that_the_subscriber_is_back():
    """No fresh alert could: there is no room for it."""
    simulation = Simulation(lambda now, _: OK if now > 20 * HOUR else DOWN, window=4)
    simulation.alerts(*[(float(n), f"dev_{n}") for n in range(40)]).run(20 * HOUR + 400)
    assert len(simulation.delivered) == 40


@pytest.mark.parametrize("seed", range(5))
def test_flapping_loses_nothing_and_keeps_the_order(seed):
    """Up and down at random, four fifths of all attempts fail."""
    chance = random.Random(seed)
    simulation = Simulation(lambda *_: OK if chance.random() < 0.2 else Outcome(chance.choice([500, 503, None])))
    simulation.alerts(*[(n * 20.0, f"dev_{n % 7}") for n in range(400)])
    for day in range(0, 200, 10):
        if simulation.run(day * DAY).subscriber.disabled:  # five unlucky days in a row
            simulation.subscriber.resume(simulation.now_s)
    assert sorted(simulation.delivered) == list(range(400))
    assert in_order_per_subject(simulation)


@pytest.mark.parametrize("seed", range(10))
def test_kill_at_any_moment_loses_nothing(seed):
    """Only the saved state survives; deliveries repeat, none is missing, order per subject holds."""
    chance = random.Random(seed)
    simulation = Simulation(lambda *_: OK if chance.random() < 0.6 else DOWN, latency_s=1.0, window=32)
    simulation.alerts(*[(n * 0.3, f"dev_{n % 9}") for n in range(300)])
    for _ in range(60):
        simulation.run(simulation.now_s + chance.uniform(0.1, 40.0))
        simulation.crash()
    simulation.run(simulation.now_s + 10 * DAY)
    assert sorted(simulation.delivered) == list(range(300))
    assert in_order_per_subject(simulation)


def test_one_alert_that_is_always_refused_does_not_hold_up_other_subjects():
    """It is given up after its schedule, since the subscriber takes the others; its successors follow."""
    simulation = Simulation(lambda _, item: Outcome(422) if item.position[1] == 3 else OK)
    simulation.alerts(*[(n * 600.0, f"dev_{n % 4}") for n in range(1000)]).run(8 * DAY)
    assert simulation.exhausted == [3]
    assert sorted([*simulation.delivered, 3]) == list(range(1000))
    others = [simulation.delivered[n] - n * 600.0 for n in range(1000) if n % 4 != 3]
    assert max(others) < 5.0


def test_429_pauses_everything_for_as_long_as_it_asks():
    """Retry-After is heeded by all alerts of the subscriber."""
    simulation = Simulation(lambda now, _: OK if now > 100 else Outcome(429, retry_after_s=120.0))
    simulation.alerts((0.0, "a"), (1.0, "b"), (2.0, "c")).run(300)
    assert [at for at, _ in simulation.tried if at < 120] == [0.0]
    assert len(simulation.delivered) == 3
    assert max(simulation.delivered.values()) < 125


def test_410_disables_at_once_and_keeps_what_waits():
    """Until somebody resumes it."""
    simulation = Simulation(lambda now, _: OK if now > 50 else Outcome(410))
    simulation.alerts((0.0, "a"), (1.0, "b")).run(100)
    assert (simulation.subscriber.disabled, len(simulation.tried)) == ("gone", 1)
    simulation.subscriber.resume(100.0)
    simulation.run(200)
    assert sorted(simulation.delivered) == [0, 1]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 408, 429, 500, 502, 503, 504])
def test_everything_but_2xx_is_tried_again(status):
    """Redirects are not followed: they are failures."""
    simulation = Simulation(lambda now, _: OK if now > 3 else Outcome(status)).alerts((0.0, "a")).run(60)
    assert list(simulation.delivered) == [0]
    assert len(simulation.tried) >= 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        ("-1", None),
        ("soon", None),
        ("1e9", None),
        ("²", None),
        ("9" * 65, None),
        ("Tue, 24 Nov 2026 12:02:00 GMT", 120.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0.0),
        ("Tue, 99 Nov 2026 12:02:00 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(text, seconds):
    """Anything else is as if it were absent."""
    assert parse_retry_after(text, 1795521600.0) == seconds


def test_retry_after_is_heeded_within_reason():
    """A year is a day."""
    assert policy().pause_s(1, Outcome(503, retry_after_s=3e7)) == DAY
