"""Runs the place and campaign rules over one partition's merged roll-ups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sori.places import path
from sori.settings.rules import CtrRule, RulesSettings
from streams.alerts.record import Subject
from streams.rules import ctr_anomaly, device_farm, geo_click_burst
from streams.rules.context import Evidence, RuleContext, SubjectKind
from streams.rules.judgement import Judgement
from streams.state.device_panes import SubjectKey
from streams.state.place_panes import RollUpPane, Series, SubjectSums, add_counts

_MAX_SAMPLES = 10
#: Campaigns for which an alert says what share of their clicks the subject made.
_MAX_SHARES = 5


class PlaceRules:
    """Judges a place or a campaign after each roll-up that adds clicks."""

    def __init__(self, context: RuleContext, panes: Mapping[int, RollUpPane], series: Series) -> None:
        self._context = context
        self._panes = panes
        self._series = series
        self._pane_ms = context.policy.pane_ms
        context.check(geo_click_burst.NAME, lambda rules: geo_click_burst.lookback_ms(rules.geo_click_burst))
        context.check(ctr_anomaly.PLACE_NAME, lambda rules: ctr_anomaly.lookback_ms(rules.geo_ctr_anomaly))
        context.check(ctr_anomaly.CAMPAIGN_NAME, lambda rules: ctr_anomaly.lookback_ms(rules.ctr_anomaly))
        context.check(device_farm.NAME, lambda rules: device_farm.lookback_ms(rules.device_farm))

    def on_clicks(self, key: SubjectKey, pane_start: int) -> None:
        """Judge the subject as of the pane that got clicks; only while all panes read are live and complete."""
        kind: SubjectKind = "campaign" if len(key) == 2 else "place"
        subject = Subject(key[0], kind, key[1] if kind == "campaign" else path(key[1:]))
        if self._context.allowed(key[0], kind, subject.value):
            return
        rules = self._context.of_account(key[0])
        end = pane_start + self._pane_ms
        if kind == "campaign":
            self._rate(ctr_anomaly.CAMPAIGN_NAME, rules.ctr_anomaly, key, subject, end)
            return
        self._burst(key, subject, end, rules)
        self._rate(ctr_anomaly.PLACE_NAME, rules.geo_ctr_anomaly, key, subject, end)
        self._farm(key, subject, end, rules)

    def _burst(self, key: SubjectKey, subject: Subject, end: int, rules: RulesSettings) -> None:
        rule = rules.geo_click_burst
        begin = end - rule.window_s * 1000
        exact = self._context.exact_from(end - geo_click_burst.lookback_ms(rule))
        if not self._context.runs(rule, subject.value) or not exact:
            return
        window = self._between(key, begin, end)
        clicks = sum(sums.clicks for sums in window)
        if clicks < rule.floor:
            return
        top = sum(sums.top_device_clicks for sums in window)
        lagging = self._between(key, begin - rule.impression_lag_s * 1000, end)
        impressions = sum(sums.impressions for sums in lagging)
        if not geo_click_burst.stands_out(clicks - top, impressions, rule):
            return
        past = self._between(key, begin - rule.baseline_s * 1000, begin)
        counts = geo_click_burst.PlaceCounts(
            window_clicks=clicks,
            top_device_clicks=top,
            window_impressions=impressions,
            baseline_clicks=sum(sums.clicks for sums in past),
            baseline_impressions=sum(sums.impressions for sums in past),
        )
        if found := geo_click_burst.judge(counts, rule):
            self._report(geo_click_burst.NAME, subject, found, (begin, end), window)

    def _rate(self, name: str, rule: CtrRule, key: SubjectKey, subject: Subject, end: int) -> None:
        exact = self._context.exact_from(end - ctr_anomaly.lookback_ms(rule))
        if not self._context.runs(rule, subject.value) or not exact:
            return
        for window_s in ctr_anomaly.windows_s(rule):
            begin = end - window_s * 1000
            window = self._between(key, begin, end)
            clicks = sum(sums.clicks for sums in window)
            if clicks < rule.floor:
                continue
            top = sum(sums.top_device_clicks for sums in window)
            if not ctr_anomaly.stands_out(clicks - top, sum(sums.impressions for sums in window), rule):
                continue  # nor would it against the impressions of a fuller window
            shown = self._impressions(key, begin - rule.impression_lag_s * 1000, end)
            back, impressions = ctr_anomaly.fullest_window(shown, window_s * 1000 // self._pane_ms)
            if not ctr_anomaly.stands_out(clicks - top, impressions, rule):
                continue
            past = self._between(key, begin - rule.baseline_s * 1000, begin - back * self._pane_ms)
            counts = ctr_anomaly.RateCounts(
                clicks=clicks,
                top_device_clicks=top,
                clicking_devices=sum(sums.clicking_devices for sums in window),
                impressions=impressions,
                past_clicks=sum(sums.clicks for sums in past),
                past_impressions=sum(sums.impressions for sums in past),
            )
            if found := ctr_anomaly.judge(counts, rule):
                self._report(name, subject, found, (begin, end), window)
                return

    def _farm(self, key: SubjectKey, subject: Subject, end: int, rules: RulesSettings) -> None:
        rule = rules.device_farm
        begin = end - rule.window_s * 1000
        baseline = end - device_farm.lookback_ms(rule)
        if not self._context.runs(rule, subject.value) or not self._context.exact_from(baseline):
            return
        window = self._between(key, begin, end)
        devices = sum(sums.clicking_devices for sums in window)
        if devices < rule.floor:
            return
        scripts = add_counts(sums.scripts() for sums in window)
        if 2 * max(scripts.values(), default=0) < rule.floor:
            return  # two neighbouring paces do not make it either
        past = add_counts(sums.scripts() for sums in self._between(key, baseline, begin))
        if found := device_farm.judge(scripts, devices, past, rule):
            self._report(device_farm.NAME, subject, found, (begin, end), window)

    def _between(self, key: SubjectKey, begin_ms: int, end_ms: int) -> list[SubjectSums]:
        """The subject's sums in panes that start in [begin, end)."""
        series = self._series.get(key, {})
        starts = range(begin_ms, end_ms, self._pane_ms)
        return [sums for start in starts if (sums := series.get(start)) is not None]

    def _impressions(self, key: SubjectKey, begin_ms: int, end_ms: int) -> list[int]:
        """The subject's impressions in each pane that starts in [begin, end), oldest first."""
        series = self._series.get(key, {})
        found = [series.get(start) for start in range(begin_ms, end_ms, self._pane_ms)]
        return [sums.impressions if sums is not None else 0 for sums in found]

    def _report(
        self, name: str, subject: Subject, found: Judgement, span: tuple[int, int], window: Sequence[SubjectSums]
    ) -> None:
        clicks = sum(sums.clicks for sums in window)
        campaigns = add_counts(sums.campaigns() for sums in window)
        everybody = self._clicks_of_everybody(subject.account_id, span, campaigns)
        details = {
            "clicks": clicks,
            "impressions": sum(sums.impressions for sums in window),
            "clicking_devices": sum(sums.clicking_devices for sums in window),
            "campaign_clicks": everybody,
            "campaign_shares": {name: round(campaigns[name] / total, 4) for name, total in everybody.items()},
            **found.details,
        }
        samples = tuple(sample for sums in window for sample in sums.samples())[-_MAX_SAMPLES:]
        evidence = Evidence(*span, samples, campaigns)
        shown = Judgement(found.observed, found.expected, found.floor, found.severity, details)
        self._context.report(
            name, traffic_class="SIVT", subject=subject, found=shown, evidence=evidence, at_ms=span[1] - self._pane_ms
        )

    def _clicks_of_everybody(self, account: str, span: tuple[int, int], campaigns: Mapping[str, int]) -> dict[str, int]:
        """All clicks in the window, wherever, on the campaigns that the subject clicked most.

        A source partition tells them together with its roll-ups, so both are as of the same offset of it. Where they
        are missing (the roll-ups are of a version that did not tell them) a share would be too large: none is given.
        """
        panes = [pane for start in range(*span, self._pane_ms) if (pane := self._panes.get(start)) is not None]
        found: dict[str, int] = {}
        for campaign in sorted(campaigns, key=lambda name: (-campaigns[name], name))[:_MAX_SHARES]:
            total = sum(pane.clicks_on(account, campaign) for pane in panes)
            if campaign and total >= campaigns[campaign]:
                found[campaign] = total
        return found
