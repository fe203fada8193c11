"""Runs the place and campaign rules over one partition's merged roll-ups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import msgspec

from sori.places import parts, path
from sori.remembered import Remembered
from sori.settings.rules import Rule, RulesSettings
from streams.alerts.corrections import EXPLANATION, Grounds
from streams.alerts.record import Subject
from streams.rules import registry
from streams.rules.click_view import Grid
from streams.rules.context import ACCOUNTS_BYTES, Evidence, RuleContext
from streams.rules.device_hour import Reach
from streams.rules.explained_clicks import told_airing
from streams.rules.judgement import Judgement
from streams.rules.lacks import Lacks
from streams.rules.local_ctr import stands_out
from streams.rules.place_view import Lacking, PlaceFinding, PlaceRule, PlaceView
from streams.rules.terms import Terms
from streams.rules.window_view import settings_of
from streams.state.device_panes import CampaignKey, PlaceKey, SubjectKey, ToldDevice
from streams.state.local_counts import LocalCounts
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
        policy = context.policy
        most_ms = policy.lateness_ms - context.rules.episodes.cooldown_s * 1000
        self._grid = grid = Grid(policy.pane_ms, policy.window_ms, policy.grace_ms, most_ms)
        of_clicks = _asked_after("clicks")
        self._of_places = tuple(module for module in of_clicks if module.SUBJECT == "place")
        self._of_campaigns = tuple(module for module in of_clicks if module.SUBJECT == "campaign")
        self._of_sign_ins, self._of_clickers = _asked_after("sign_ins"), _asked_after("clickers")
        self._of_devices = _asked_after("device")
        self._of_minutes = _asked_after("minutes")
        self._of_minutes_at_places = tuple(module for module in self._of_minutes if module.SUBJECT != "campaign")
        self._of_local = _asked_after("local")
        self._terms = Terms(context, registry.PLACE_RULES, grid)
        self._reach: Remembered[str, Reach] = Remembered(ACCOUNTS_BYTES)
        #: Sign-ins in one pane below which nothing is judged at once.
        self.sign_in_gate = min(rules.geo_auth_burst.gate(context.policy.pane_ms) for rules in context.rules.variants())
        #: How long after sign-ins a place is looked at: as long as what follows them may take.
        self.sign_in_wait_ms = 1000 * max(rules.geo_auth_burst.wait_s for rules in context.rules.variants())
        self._lacks = Lacks()
        for module in registry.PLACE_RULES:
            of_windows = module in self._of_devices
            context.check(module.NAME, partial(_lookback_ms, module, grid), of_windows=of_windows)

    def on_row(self, key: SubjectKey, pane_start: int, added: int, *, over: bool) -> None:
        """More was told of the subject, with so many clicks `added`; `over`: of a pane that is."""
        if over:
            self._lacks.told(key, pane_start)
        if isinstance(key, ToldDevice):
            self.on_device(key, pane_start, added)
        elif added > 0:
            self.on_clicks(key, pane_start, added)

    def on_clicks(self, key: SubjectKey, pane_start: int, added: int) -> None:
        """Judge the subject as of the pane that got clicks; only while all panes read are live and complete."""
        self._judge(key, pane_start, added, self._of_campaigns if isinstance(key, CampaignKey) else self._of_places)

    def on_sign_ins(self, key: SubjectKey, pane_start: int, added: int) -> None:
        """Judge a place as of a pane in which devices signed in, or which began."""
        self._judge(key, pane_start, added, self._of_sign_ins)

    def on_clickers(self, key: SubjectKey, pane_start: int) -> None:
        """Judge a campaign as of a pane in which ids of clicks, or their devices, came."""
        self._judge(key, pane_start, 1, self._of_clickers)

    def on_local(self, key: SubjectKey, pane_start: int, told: Iterable[LocalCounts]) -> None:
        """Judge a place by what is told of campaigns there, if any of them stands out."""
        if any(map(stands_out, told)):
            self._judge(key, pane_start, 1, self._of_local)

    def on_device(self, key: SubjectKey, window_start: int, added: int) -> None:
        """Judge a device as of one of its windows, of which more was told."""
        self._series[key].changed(window_start)
        rules = self._within_reach(key, window_start)
        if rules:
            self._judge(key, window_start, added, rules)

    def _within_reach(self, key: SubjectKey, window_start: int) -> Sequence[PlaceRule]:
        """Rules that may find something about a device: most devices have far too few of anything.

        All of them where an alert is open, or not everything is there to be judged: that is counted.
        """
        context, end = self._context, window_start + self._grid.window_ms
        if context.any_open and _subject(key) in context.any_open:
            return self._of_devices
        reach = self._reach.get(key.account)
        if reach is None:
            reach = Reach.of(self._of_devices, context.of_account(key.account), self._grid)
            self._reach.remember(key.account, reach, 4 * len(key.account))
        if end - reach.span_ms < context.exact_since_ms:
            return self._of_devices
        return reach.rules(_view(self._grid, self._panes, self._series, key, end))

    def on_minute(self, key: SubjectKey, pane_start: int) -> None:
        """Judge a place or a campaign by what it did over many minutes, as of a pane that began."""
        of_campaign = isinstance(key, CampaignKey)
        self._judge(key, pane_start, 1, self._of_minutes if of_campaign else self._of_minutes_at_places)

    def _judge(self, key: SubjectKey, pane_start: int, added: int, modules: Sequence[PlaceRule]) -> None:
        subject, context, end = _subject(key), self._context, pane_start + self._length_of(key)
        open_subject = context.open_subject(subject) if context.any_open else None
        series, at_ms = self._series[key], end - self._grid.pane_ms
        if open_subject is not None:
            modules = context.grown(open_subject, modules, at_ms, added)
        if modules and (lacks := self._lacks.of(series, end)):
            modules = [module for module in modules if module.NAME not in lacks]
        if not modules or context.allowed(subject.account_id, subject.kind, subject.value):
            return
        terms, exact_ms = self._terms.of(key.account), context.exact_since_ms
        view = _view(self._grid, self._panes, self._series, key, end)
        view.exact_ms = exact_ms
        for module in modules:
            rule, lookback_ms = terms[module.NAME]
            if not rule.enabled or subject.value in rule.allow:
                continue
            if context.lets_pass(module.NAME, subject, at_ms):
                continue
            if end - lookback_ms < exact_ms and not context.exact_from(end - lookback_ms):
                continue
            found = module.evaluate(view, rule)
            if isinstance(found, Lacking):
                self._lacks.note(module.NAME, series, end, found)
            elif found:
                grounds = self._grounds(module, key, end) if module.CORRECTABLE else None
                self._report(module, subject, found, end, grounds)

    def on_impressions(self, key: SubjectKey, pane_start: int) -> None:
        """Impressions came to a pane that is over: they may explain what the subject is accused of."""
        self._context.note_late(_subject(key), pane_start)

    @property
    def late_ms(self) -> int:
        """When `ask_late` has something to ask, watermark."""
        return self._context.late.next_ms

    def ask_late(self, watermark_ms: int) -> None:
        """Ask about those who got impressions late, if it is time to."""
        if watermark_ms >= self.late_ms:
            for subject, pane_start in self._context.late.take(watermark_ms):
                self._context.put_right(subject, "", "", pane_start, why=_why)

    def grounds_of(self, rule: str, subject: Subject, state: object) -> Grounds:
        """What a finding rested on, from its `state`. Raises KeyError and msgspec.ValidationError."""
        module = {module.NAME: module for module in registry.PLACE_RULES}[rule]
        key: SubjectKey = CampaignKey(subject.account_id, subject.value)
        if subject.kind == "device":
            key = ToldDevice(subject.account_id, subject.value)
        elif subject.kind == "place":
            key = PlaceKey(subject.account_id, *parts(subject.value))
        return self._grounds(module, key, msgspec.convert(state, int))

    def _grounds(self, module: PlaceRule, key: SubjectKey, end_ms: int) -> Grounds:
        rule = settings_of(self._context.of_account(key.account), module.NAME)
        return _Grounds(module, rule, self._context, self._grid, self._panes, self._series, key, end_ms)

    def _report(
        self, module: PlaceRule, subject: Subject, finding: PlaceFinding, end_ms: int, grounds: Grounds | None
    ) -> None:
        found, window, span = finding.judgement, finding.window, (finding.begin_ms, finding.end_ms or end_ms)
        at_ms = end_ms - self._grid.pane_ms
        if self._context.again(module.NAME, subject, found, at_ms, grounds):
            return
        clicks = sum(sums.clicks for sums in window)
        campaign = subject.value if subject.kind == "campaign" else None
        campaigns = {campaign: clicks} if campaign else add_counts(sums.campaigns() for sums in window)
        details = {
            "clicks": clicks,
            "impressions": sum([sums.impressions for sums in window]),
            "clicking_devices": sum([sums.clicking_devices for sums in window]),
            **found.details,
        }
        more: partial[dict[str, Any]] | None = partial(self._shares, subject.account_id, span, campaigns)
        if module in self._of_devices:
            del details["clicking_devices"]
        if module in self._of_sign_ins:
            details, campaigns, window = {"impressions": details["impressions"], **found.details}, {}, ()
            more = None
        samples = tuple(sample for sums in window for sample in sums.samples())[-_MAX_SAMPLES:]
        evidence = Evidence(*span, samples, campaigns)
        shown = Judgement(found.observed, found.expected, found.floor, found.severity, details)
        self._context.report(
            module.NAME,
            traffic_class=module.TRAFFIC_CLASS,
            subject=subject,
            found=shown,
            evidence=evidence,
            at_ms=at_ms,
            grounds=grounds,
            more=more,
        )

    def _shares(self, account: str, span: tuple[int, int], campaigns: Mapping[str, int]) -> dict[str, Any]:
        """How much of everybody's clicks the subject made."""
        everybody = self._clicks_of_everybody(account, span, campaigns)
        shares = {name: round(campaigns[name] / total, 4) for name, total in everybody.items()}
        return {"campaign_clicks": everybody, "campaign_shares": shares}

    def _length_of(self, key: SubjectKey) -> int:
        """How long what is told of a subject at once is: of a device, a whole window."""
        return self._grid.window_ms if isinstance(key, ToldDevice) else self._grid.pane_ms

    def _clicks_of_everybody(self, account: str, span: tuple[int, int], campaigns: Mapping[str, int]) -> dict[str, int]:
        """All clicks in the window, wherever, on the campaigns that the subject clicked most.

        A source partition tells them together with its roll-ups, so both are as of the same offset of it. Where they
        are missing (the roll-ups are of a version that did not tell them) a share would be too large: none is given.
        """
        panes = [pane for start in range(*span, self._grid.pane_ms) if (pane := self._panes.get(start)) is not None]
        found: dict[str, int] = {}
        for campaign in sorted(campaigns, key=lambda name: (-campaigns[name], name))[:_MAX_SHARES]:
            total = sum(pane.clicks_on(account, campaign) for pane in panes)
            if campaign and total >= max(1, campaigns[campaign]):
                found[campaign] = total
        return found


@dataclass(slots=True)
class _Grounds:
    """What a finding about a pane rests on: the counts, asked again while all of them are live and complete."""

    module: PlaceRule
    rule: Rule
    context: RuleContext
    grid: Grid
    panes: Mapping[int, RollUpPane]
    series: Series
    key: SubjectKey
    end_ms: int

    @property
    def state(self) -> object:
        """As plain data."""
        return self.end_ms

    @property
    def missing(self) -> tuple[str, ...]:
        """Rates do not tell one impression from another."""
        return ()

    def explain(self, campaign: str | None, identity: str | None, shown_ms: int) -> bool:  # noqa: ARG002 - as of every rule
        """Whether an impression in the pane that starts then was one that it looked at."""
        return self.end_ms - self.module.lookback_ms(self.rule, self.grid) <= shown_ms < self.end_ms

    @property
    def airing(self) -> str:
        """The airing that it turned out to be a part of, in words; empty: none."""
        airing_s = getattr(self.rule, "airing_s", 0)
        view = _view(self.grid, self.panes, self.series, self.key, self.end_ms)
        return told_airing(view, airing_s).get("airing", "")

    def hold(self) -> bool:
        """Whether the rule is still exceeded."""
        if not self.context.exact_from(self.end_ms - self.module.lookback_ms(self.rule, self.grid)):
            return True
        view = _view(self.grid, self.panes, self.series, self.key, self.end_ms)
        view.exact_ms = self.context.exact_since_ms
        return isinstance(self.module.evaluate(view, self.rule), PlaceFinding)


def _view(grid: Grid, panes: Mapping[int, RollUpPane], series: Series, key: SubjectKey, end_ms: int) -> PlaceView:
    own: Mapping[int, SubjectSums] = series.get(key, {})
    view = PlaceView(end_ms, grid.pane_ms, own, grid.window_ms, grid.grace_ms, grid.most_ms, panes, key.account)
    if isinstance(key, CampaignKey):
        view.campaign = key.campaign
    return view


def _why(grounds: Iterable[Grounds]) -> str:
    """What explains findings that rested on these."""
    airings = [one.airing for one in grounds if isinstance(one, _Grounds)]
    return "; ".join([EXPLANATION, *[airing for airing in airings if airing][:1]])


def _asked_after(what: str) -> tuple[PlaceRule, ...]:
    return tuple(module for module in registry.PLACE_RULES if getattr(module, "ASKED", "clicks") == what)


@lru_cache(maxsize=4096)
def _subject(key: SubjectKey) -> Subject:
    if isinstance(key, CampaignKey):
        return Subject(key.account, "campaign", key.campaign)
    if isinstance(key, ToldDevice):
        return Subject(key.account, "device", key.device)
    return Subject(key.account, "place", path(key[1:]))


def _lookback_ms(module: PlaceRule, grid: Grid, rules: RulesSettings) -> int:
    return module.lookback_ms(settings_of(rules, module.NAME), grid)
