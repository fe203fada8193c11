"""Runs the device rules over one partition's panes."""

from __future__ import annotations

from collections.abc import Callable

from sori.settings.rules import DeviceClickBurst, RulesSettings
from streams.alerts import Finding, Subject
from streams.checkpoint import Pin
from streams.episodes import EpisodeBook
from streams.panes import DeviceClicks, DeviceKey, PaneStore
from streams.policy import Clock, EpisodePolicy, TimePolicy
from streams.rules import device_click_burst

_MAX_SAMPLES = 10


class DeviceRules:
    """Judges a device after each of its clicks."""

    def __init__(
        self,
        *,
        rules: RulesSettings,
        policy: TimePolicy,
        store: PaneStore,
        book: EpisodeBook,
        clock: Clock,
        pin_now: Callable[[], Pin],
    ) -> None:
        self._settings = rules
        self._policy = policy
        self._panes = store.panes
        self._book = book
        self._clock = clock
        self._pin_now = pin_now
        self._by_account: dict[str, DeviceClickBurst] = {}
        EpisodePolicy.of(rules).check(
            device_click_burst.NAME, self._lookback_ms(rules.device_click_burst), policy.lateness_ms
        )

    @staticmethod
    def _lookback_ms(rule: DeviceClickBurst) -> int:
        return (rule.window_s + rule.baseline_s) * 1000

    def _rule_of(self, account: str) -> DeviceClickBurst:
        rule = self._by_account.get(account)
        if rule is None:
            rule = self._by_account[account] = self._settings.for_account(account).device_click_burst
        return rule

    def on_click(self, device: DeviceKey, time_ms: int, pane_start: int) -> None:
        """Judge `device` as of the pane of its click.

        A click is judged only while every pane the judgement reads is live and, after a rewind, complete: so a
        replay judges exactly what was judged.
        """
        rule = self._rule_of(device[0])
        if not rule.enabled:
            return
        pane_ms = self._policy.pane_ms
        window_begin = pane_start + pane_ms - rule.window_s * 1000
        baseline_begin = window_begin - rule.baseline_s * 1000
        if baseline_begin < max(self._policy.horizon(self._clock.watermark), self._clock.complete_from):
            return
        window = self._between(device, window_begin, pane_start)
        clicks = sum(cell.clicks for cell in window)
        if clicks < rule.floor:
            return
        past = sum(cell.clicks for cell in self._between(device, baseline_begin, window_begin - pane_ms))
        burst = device_click_burst.judge(clicks, past, rule)
        if burst is None:
            return
        campaigns: dict[str, int] = {}
        for cell in window:
            for campaign, count in cell.campaigns.items():
                campaigns[campaign] = campaigns.get(campaign, 0) + count
        finding = Finding(
            rule=device_click_burst.NAME,
            subject=Subject(device[0], "device", device[1]),
            window_start_ms=window_begin,
            window_end_ms=pane_start + pane_ms,
            observed=burst.observed,
            expected=burst.expected,
            floor=burst.floor,
            severity=burst.severity,
            traffic_class="GIVT",
            samples=tuple(sample for cell in window for sample in cell.samples)[:_MAX_SAMPLES],
            campaigns=campaigns,
        )
        self._book.add(finding, time_ms, self._clock.watermark, self._pin_now)

    def _between(self, device: DeviceKey, first_pane: int, last_pane: int) -> list[DeviceClicks]:
        """The device's clicks in the panes from `first_pane` to `last_pane`, both included."""
        panes = self._panes
        found = []
        for start in range(first_pane, last_pane + 1, self._policy.pane_ms):
            pane = panes.get(start)
            if pane is not None and device in pane.clicks:
                found.append(pane.clicks[device])
        return found
