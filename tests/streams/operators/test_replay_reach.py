"""How far back the restart point lies: what somebody does for long must not pin it for as long."""

from __future__ import annotations

from dataclasses import replace

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings
from sori.times import iso
from streams.operators.device import DeviceOperator
from streams.state.policy import TimePolicy
from testkit.records import event_record

T0 = 1_760_419_200_000
EVERY_S, HOURS = 8, 12


def test_a_bot_that_clicks_for_half_a_day_pins_the_restart_point_for_two_hours_at_most():
    """Its clicks are suspect all the time; of what found it only findings within the cooldown are needed."""
    operator = DeviceOperator(0, TimePolicy.of(StreamsSettings()), RulesSettings())
    longest = 0
    for number in range(HOURS * 3600 // EVERY_S):
        at_ms = T0 + number * EVERY_S * 1000
        record = event_record(number, event="campaign.click", created_at=iso(at_ms))
        operator.apply([replace(record, timestamp=at_ms)])
        if number % 8 == 0:
            _, checkpoint = operator.flush()
            longest = max(longest, number - checkpoint.replay_start.low)
    assert operator.episodes.open_episodes
    assert longest * EVERY_S <= 2 * 3600
