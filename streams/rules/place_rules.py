"""Runs the place rules over one partition's merged roll-ups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sori.settings.rules import GeoClickBurst, RulesSettings
from streams.alerts import Finding, Subject
from streams.checkpoint import Pin
from streams.episodes import EpisodeBook
from streams.panes import PlaceKey
from streams.place_panes import PlacePane, PlaceSums
from streams.policy import Clock, EpisodePolicy, TimePolicy
from streams.rules import geo_click_burst
from streams.rules.geo_click_burst import PlaceCounts, PlaceJudgement

_MAX_SAMPLES = 10


def lookback_ms(rule: GeoClickBurst) -> int:
    """How far before the end of its window the rule reads."""
    return (rule.window_s + max(rule.baseline_s, rule.impression_lag_s)) * 1000


class PlaceRules:
    """Judges a place after each roll-up that adds clicks."""

    def __init__(
        self,
        *,
        rules: RulesSettings,
        policy: TimePolicy,
        panes: Mapping[int, PlacePane],
        book: EpisodeBook,
        clock: Clock,
        pin_now: Callable[[], Pin],
    ) -> None:
        self._settings = rules
        self._policy = policy
        self._panes = panes
        self._book = book
        self._clock = clock
        self._pin_now = pin_now
        self._by_account: dict[str, GeoClickBurst] = {}
        EpisodePolicy.of(rules).check(geo_click_burst.NAME, lookback_ms(rules.geo_click_burst), policy.lateness_ms)

    def _rule_of(self, account: str) -> GeoClickBurst:
        rule = self._by_account.get(account)
        if rule is None:
            rule = self._by_account[account] = self._settings.for_account(account).geo_click_burst
        return rule

    def on_clicks(self, place: PlaceKey, pane_start: int) -> None:
        """Judge `place` as of the pane that got clicks; only while all panes read are live and complete."""
        rule = self._rule_of(place[0])
        if not rule.enabled:
            return
        end = pane_start + self._policy.pane_ms
        if end - lookback_ms(rule) < max(self._policy.horizon(self._clock.watermark), self._clock.complete_from):
            return
        begin = end - rule.window_s * 1000
        window = list(self._between(place, begin, end))
        if sum(sums.clicks for sums in window) < rule.floor:
            return
        judged = geo_click_burst.judge(self._counts(place, begin, window, rule), rule)
        if judged is not None:
            finding = _finding(place, begin, end, window, judged)
            self._book.add(finding, pane_start, self._clock.watermark, self._pin_now)

    def _counts(self, place: PlaceKey, begin: int, window: list[PlaceSums], rule: GeoClickBurst) -> PlaceCounts:
        past = list(self._between(place, begin - rule.baseline_s * 1000, begin))
        before = self._between(place, begin - rule.impression_lag_s * 1000, begin)
        return PlaceCounts(
            window_clicks=sum(sums.clicks for sums in window),
            top_device_clicks=sum(sums.top_device_clicks for sums in window),
            window_impressions=sum(sums.impressions for sums in window) + sum(sums.impressions for sums in before),
            baseline_clicks=sum(sums.clicks for sums in past),
            baseline_impressions=sum(sums.impressions for sums in past),
        )

    def _between(self, place: PlaceKey, begin_ms: int, end_ms: int) -> Iterable[PlaceSums]:
        """The place's sums in panes that start in [begin, end)."""
        for start in range(begin_ms, end_ms, self._policy.pane_ms):
            pane = self._panes.get(start)
            if pane is not None and place in pane.places:
                yield pane.places[place]


def _finding(place: PlaceKey, begin: int, end: int, window: list[PlaceSums], judged: PlaceJudgement) -> Finding:
    campaigns: dict[str, int] = {}
    for sums in window:
        for campaign, clicks in sums.campaigns().items():
            campaigns[campaign] = campaigns.get(campaign, 0) + clicks
    return Finding(
        rule=geo_click_burst.NAME,
        subject=Subject(place[0], "place", "/".join(place[1:])),
        window_start_ms=begin,
        window_end_ms=end,
        observed=judged.burst.observed,
        expected=judged.burst.expected,
        floor=judged.burst.floor,
        severity=judged.burst.severity,
        traffic_class="SIVT",
        samples=tuple(sample for sums in window for sample in sums.samples())[:_MAX_SAMPLES],
        campaigns=campaigns,
        details={
            "clicking_devices": sum(sums.clicking_devices() for sums in window),
            "ctr_lower": round(judged.ctr_lower, 4),
            "baseline_ctr": round(judged.baseline_ctr, 4),
        },
    )
