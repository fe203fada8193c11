"""How much history before a time the alerts after it depend on."""

from __future__ import annotations

from sori.settings.rules import RulesSettings
from sori.settings.streams import StreamsSettings


def warmup_ms(streams: StreamsSettings, variants: tuple[RulesSettings, ...]) -> int:
    """Milliseconds of receipt to feed before the first alert that counts.

    A judgement reads panes no older than the lateness. But an alert's id holds the opening of its episode, which may
    lie before; a burst that never stops is cut at multiples of the greatest length once it lasted that long, so after
    twice that length a replay has the same episodes, whenever it began.
    """
    length_s = max(rules.episodes.max_length_s for rules in variants)
    lookback_s = max(streams.lateness_s, streams.place_lateness_s)
    return int((2 * length_s + lookback_s + streams.max_skew_s) * 1000)


def tail_ms(streams: StreamsSettings, variants: tuple[RulesSettings, ...]) -> int:
    """Milliseconds of receipt to feed after the last alert that counts, so that it may go on and close."""
    cooldown_s = max(rules.episodes.cooldown_s for rules in variants)
    return int((streams.lateness_s + cooldown_s) * 1000)
