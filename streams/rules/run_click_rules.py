"""Runs the rules that look at a device's clicks, after each click."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sori.remembered import Remembered
from sori.settings.rules import ClickWithoutImpression, RulesSettings
from streams.alerts.record import Subject
from streams.rules import click_without_impression, device_click_burst, duplicate_click, fast_click
from streams.rules.context import ACCOUNTS_BYTES, Evidence, RuleBench, TrafficClass
from streams.rules.judgement import Judgement
from streams.state.counters import MAX_CLICKS_KEPT, Click, DeviceClicks
from streams.state.device_panes import DeviceKey, PaneStore
from streams.state.place_panes import add_counts

#: Campaigns for which an alert says what share of their clicks the device made.
_MAX_SHARES = 5


class _Case(NamedTuple):
    """One device as of one click: `cells` are its clicks per pane, oldest first, of the widest window."""

    key: DeviceKey
    subject: Subject
    time_ms: int
    end_ms: int
    cells: Sequence[tuple[int, DeviceClicks]]

    def since(self, begin_ms: int) -> list[DeviceClicks]:
        """Its clicks in panes from `begin_ms` on."""
        return [cell for start, cell in self.cells if start >= begin_ms]


class ClickRules:
    """Judges a device as of the pane of its click."""

    def __init__(self, bench: RuleBench, store: PaneStore) -> None:
        self._bench = bench
        self._store = store
        self._gates: Remembered[str, tuple[int, int]] = Remembered(ACCOUNTS_BYTES)
        self._pane_ms, window_ms = store.pane_ms, store.window_ms
        bench.check(device_click_burst.NAME, lambda rules: device_click_burst.lookback_ms(rules.device_click_burst))
        bench.check(duplicate_click.NAME, lambda rules: duplicate_click.lookback_ms(rules.duplicate_click))
        bench.check(fast_click.NAME, lambda rules: fast_click.lookback_ms(rules.fast_click, store.pane_ms))
        bench.check(
            click_without_impression.NAME,
            lambda rules: click_without_impression.lookback_ms(rules.click_without_impression, window_ms),
        )

    def on_click(self, key: DeviceKey, time_ms: int, pane_start: int) -> None:
        """Run every click rule. Clicks beyond those kept of a pane move device_click_burst only."""
        end = pane_start + self._pane_ms
        widest, least = self._gates.get(key[0]) or self._gate(key[0])
        # a few whole windows are looked at sooner than many panes, and hold no fewer clicks
        if self._clicks_in_windows(key, end - widest, end) < least:
            return
        rules = self._bench.of_account(key[0])
        cells = self._between(key, end - widest, end)
        total = sum(cell.clicks for _, cell in cells)
        if total < least:
            return
        case = _Case(key, Subject(key[0], "device", key[1]), time_ms, end, cells)
        if total >= rules.device_click_burst.floor:
            self._burst(case, rules)
        if cells[-1][1].clicks <= MAX_CLICKS_KEPT:
            self._duplicates(case, rules)
            self._fast(case, rules)
            self._orphans(case, rules)

    def _gate(self, account: str) -> tuple[int, int]:
        """How far the widest rule looks, and the least floor."""
        rules = self._bench.of_account(account)
        gate = max(_windows_s(rules)) * 1000, min(_floors(rules))
        return self._gates.remember(account, gate, 4 * len(account))

    def _clicks_in_windows(self, key: DeviceKey, begin_ms: int, end_ms: int) -> int:
        windows, window_ms, found = self._store.windows, self._store.window_ms, 0
        for start in range(begin_ms - begin_ms % window_ms, end_ms, window_ms):
            window = windows.get(start)
            if window is not None and (cell := window.device(key)) is not None:
                found += cell.clicks
        return found

    def _between(self, key: DeviceKey, begin_ms: int, end_ms: int) -> list[tuple[int, DeviceClicks]]:
        (account, device), panes = key, self._store.panes
        found = []
        for start in range(begin_ms, end_ms, self._pane_ms):
            pane = panes.get(start)
            held = None if pane is None else pane.accounts.get(account)
            if held is not None and (clicks := held.clicks.get(device)) is not None:
                found.append((start, clicks))
        return found

    def _burst(self, case: _Case, rules: RulesSettings) -> None:
        rule = rules.device_click_burst
        begin = case.end_ms - rule.window_s * 1000
        baseline = begin - rule.baseline_s * 1000
        if not self._bench.runs(rule, case.key[1]) or not self._bench.exact_from(baseline):
            return
        cells = case.since(begin)
        clicks = sum(cell.clicks for cell in cells)
        if clicks < rule.floor:
            return
        past = sum(cell.clicks for _, cell in self._between(case.key, baseline, begin))
        if found := device_click_burst.judge(clicks, past, rule):
            self._report(device_click_burst.NAME, case, found, begin, _kept(cells))

    def _duplicates(self, case: _Case, rules: RulesSettings) -> None:
        rule = rules.duplicate_click
        begin = case.end_ms - rule.window_s * 1000
        if not self._bench.runs(rule, case.key[1]) or not self._bench.exact_from(begin):
            return
        kept = _kept(case.since(begin))
        if len(kept) > rule.floor and (found := duplicate_click.judge(kept, rule)):
            self._report(duplicate_click.NAME, case, found, begin, kept)

    def _fast(self, case: _Case, rules: RulesSettings) -> None:
        rule = rules.fast_click
        begin = case.end_ms - rule.window_s * 1000
        exact = self._bench.exact_from(case.end_ms - fast_click.lookback_ms(rule, self._pane_ms))
        if not self._bench.runs(rule, case.key[1]) or not exact:
            return
        kept = _kept(case.since(begin))
        if len(kept) < rule.floor:
            return
        reach = fast_click.reach_ms(rule)
        delays = [self._delay(case.key[0], click, reach) for click in kept]
        if found := fast_click.judge(delays, rule):
            fast = [c for c, delay in zip(kept, delays, strict=True) if delay is not None and delay < rule.too_soon_ms]
            self._report(fast_click.NAME, case, found, begin, fast)

    def _delay(self, account: str, click: Click, reach_ms: int) -> int | None:
        latest = click.time_ms + fast_click.ROUNDING_MS
        shown = self._store.shown_at(account, click.identity, click.time_ms - reach_ms, latest)
        return None if shown is None else click.time_ms - shown

    def _orphans(self, case: _Case, rules: RulesSettings) -> None:
        rule = rules.click_without_impression
        begin = case.end_ms - rule.window_s * 1000
        horizon = begin - rule.horizon_s * 1000
        horizon -= horizon % self._store.window_ms
        if not self._bench.runs(rule, case.key[1]) or not self._bench.exact_from(horizon):
            return
        latest = case.time_ms - rule.grace_s * 1000
        kept = [click for click in _kept(case.since(begin)) if click.time_ms <= latest]
        if len(kept) < rule.floor:
            return
        self._judge_orphans(case, rule, kept, begin, horizon)

    def _judge_orphans(
        self, case: _Case, rule: ClickWithoutImpression, kept: list[Click], begin: int, horizon: int
    ) -> None:
        matched: Counter[str] = Counter()
        unmatched: Counter[str] = Counter()
        alone: list[Click] = []
        for click in kept:
            latest = click.time_ms + rule.grace_s * 1000
            if self._store.shown_at(case.key[0], click.identity, horizon, latest) is None:
                unmatched[click.campaign] += 1
                alone.append(click)
            else:
                matched[click.campaign] += 1
        if len(alone) < rule.floor:
            return
        shown = {campaign: self._impressions(case.key, campaign, horizon, case.time_ms) for campaign in unmatched}
        if found := click_without_impression.judge(matched, unmatched, shown, rule):
            self._report(click_without_impression.NAME, case, found, begin, alone)

    def _impressions(self, key: DeviceKey, campaign: str, begin_ms: int, end_ms: int) -> int:
        found = 0
        for start in range(begin_ms, end_ms + 1, self._store.window_ms):
            window = self._store.windows.get(start)
            if window is not None and (cell := window.device(key)) is not None:
                found += cell.impressions_of(campaign)
        return found

    def _report(self, name: str, case: _Case, found: Judgement, begin: int, clicks: Sequence[Click]) -> None:
        cells = case.since(begin)
        campaigns = add_counts(cell.campaigns for cell in cells)
        everybody = self._clicks_of_everybody(case, begin, campaigns)
        shares = {campaign: round(campaigns[campaign] / total, 4) for campaign, total in everybody.items()}
        found = found.with_details(
            clicks=sum(cell.clicks for cell in cells), campaign_clicks=everybody, campaign_shares=shares
        )
        evidence = Evidence(begin, case.end_ms, tuple(c.identity for c in clicks[:10]), campaigns)
        self._bench.report(
            name,
            traffic_class=_CLASSES[name],
            subject=case.subject,
            found=found,
            evidence=evidence,
            at_ms=case.time_ms,
        )

    def _clicks_of_everybody(self, case: _Case, begin: int, campaigns: Mapping[str, int]) -> dict[str, int]:
        """All clicks in the window, in this partition, on the campaigns that the device clicked most."""
        found: dict[str, int] = {}
        panes = [self._store.panes.get(start) for start in range(begin, case.end_ms, self._pane_ms)]
        held = [pane.accounts.get(case.key[0]) for pane in panes if pane is not None]
        for campaign in sorted(campaigns, key=lambda name: (-campaigns[name], name))[:_MAX_SHARES]:
            cells = [account.campaigns.get(campaign) for account in held if account is not None]
            total = sum(cell.clicks for cell in cells if cell is not None)
            if total:
                found[campaign] = total
        return found


_CLASSES: dict[str, TrafficClass] = {
    device_click_burst.NAME: device_click_burst.TRAFFIC_CLASS,
    duplicate_click.NAME: duplicate_click.TRAFFIC_CLASS,
    fast_click.NAME: fast_click.TRAFFIC_CLASS,
    click_without_impression.NAME: click_without_impression.TRAFFIC_CLASS,
}


def _windows_s(rules: RulesSettings) -> tuple[int, ...]:
    parts = (rules.device_click_burst, rules.duplicate_click, rules.fast_click, rules.click_without_impression)
    return tuple(rule.window_s for rule in parts)


def _floors(rules: RulesSettings) -> tuple[int, ...]:
    parts = (rules.device_click_burst, rules.duplicate_click, rules.fast_click, rules.click_without_impression)
    return tuple(rule.floor for rule in parts)


def _kept(cells: Sequence[DeviceClicks]) -> list[Click]:
    return [click for cell in cells for click in cell.kept]
