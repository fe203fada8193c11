"""Runs the rules that look at a device's clicks, after each click: those that the device could exceed now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self
from zlib import crc32

from sori.remembered import Remembered
from sori.settings.rules import RulesSettings
from streams.alerts.corrections import Grounds
from streams.alerts.record import Subject
from streams.rules import click_without_impression, device_ctr, fast_click, registry
from streams.rules.click_view import (
    ClickRule,
    ClickView,
    Entry,
    Exceeded,
    Grid,
    Lasting,
    Verdict,
    clicks_between,
)
from streams.rules.context import ACCOUNTS_BYTES, Evidence, RuleContext
from streams.rules.window_view import settings_of
from streams.state.counters import MAX_CLICKS_KEPT
from streams.state.device_panes import AccountPane, AccountWindow, DeviceKey, PaneStore
from streams.state.matches import ALL, ANSWERING, REPEATING, Margin, Matches, Reach
from streams.state.place_panes import add_counts

#: Campaigns for which an alert says what share of their clicks the device made.
_MAX_SHARES = 5
#: Of one account, pane and partition: from so many clicking devices on, further ones are judged in some panes only, or
#: from such a part of all its devices on in the window: among a large customer's many devices many click. So judging
#: takes a bounded part of the time whatever one account sends; what is counted and published is not affected.
JUDGED_DEVICES, JUDGED_PART = 2_000, 0.1
#: For so many panes it is remembered what a device's next clicks cannot change.
_MARGIN_PANES = 6
#: So many clicks come in no pane: whatever the device does in this one, the rule has nothing more to say.
_NOT_IN_THIS_PANE = 2**62


class _Part(NamedTuple):
    """Some rules of an account; how far the widest window reaches, and the least floor."""

    entries: tuple[Entry, ...]
    widest_ms: int
    least: int

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Self:
        """These rules, as far as they are on."""
        rules: list[Any] = [entry.rule for entry in entries]  # all of them have a window
        return cls(
            tuple(entry for entry in entries if entry.rule.enabled),
            max(rule.window_s for rule in rules) * 1000,
            min(entry.least for entry in entries),
        )


def _entry(number: int, module: ClickRule, rule: Any) -> Entry:
    """A rule of an account; it has a floor, as all of them, maybe a quick one, and maybe one of impressions."""
    least: int = getattr(rule, "quick_floor", rule.floor)
    least_shown = getattr(module, "least_shown", None)
    shown = 0.0 if least_shown is None else least_shown(rule)
    return Entry(number, module.NAME, module.TRAFFIC_CLASS, rule, module, module.COUNTS_ALL, least, shown)


class _Plan(NamedTuple):
    """The rules of an account: those that judge a click at once, and those that wait for its impression, so long.

    `gap_ms`: clicks that lie further apart do not repeat each other.
    """

    at_once: _Part
    later: _Part
    wait_ms: int
    reach: Reach
    gap_ms: int


class ClickRules:
    """Judges a device as of the pane of its click."""

    def __init__(self, context: RuleContext, store: PaneStore) -> None:
        self._context = context
        self._store = store
        self._grid = Grid(store.pane_ms, store.window_ms, context.policy.grace_ms)
        self._waiting = context.waiting
        self._plans: Remembered[str, _Plan] = Remembered(ACCOUNTS_BYTES)
        self._matches = Matches(store)
        self._newest_pane = 0
        self._modules = registry.CLICK_RULES
        for module in self._modules:
            context.check(module.NAME, partial(_lookback_ms, module, self._grid))

    def on_click(self, key: DeviceKey, time_ms: int, pane_start: int) -> None:
        """Run every click rule that is due. Clicks beyond those kept of a pane move those only that count all."""
        plan = self._plans.get(key[0]) or self._plan(key[0])
        margin = self._margin(plan, key, time_ms, pane_start)
        if self._passed_over(key, pane_start):
            return
        scope = self._store.panes[pane_start].accounts[key[0]]
        own = scope.window.clicks_of(key[1])  # of the present window: enough to tell a flood
        known = self._let_wait(plan, key, time_ms, scope, own) if plan.later.entries else None
        subject, (entries, widest_ms, least) = Subject(key[0], "device", key[1]), plan.at_once
        if self._context.any_open and (open_subject := self._context.open_subject(subject)) is not None:
            entries = self._context.unsettled(open_subject, entries, time_ms)
        if margin is not None:
            due, counts = margin.due, margin.counts
            entries = tuple([one for one in entries if due[one.number][1] <= counts[due[one.number][0]]])
        if not entries:
            return
        end = pane_start + self._grid.pane_ms
        if known is not None and known < least and plan.later.widest_ms >= widest_ms:
            return
        # a few whole windows are looked at sooner than many panes, and hold no fewer clicks
        if own < least and self._clicks_in_windows(key, end - widest_ms, end) < least:
            return
        cells = clicks_between(self._store, key, end - widest_ms, end)
        if sum([cell.clicks for _, cell in cells]) < least:
            return
        if margin is None:
            margin = self._matches.margins[key] = Margin(pane_start, len(self._modules))
        waited = time_ms - self._grid.grace_ms
        view = ClickView(key, time_ms, end, cells, self._store, self._matches, plan.reach, waited)
        self._judge(view, subject, entries, margin)

    def _passed_over(self, key: DeviceKey, pane_start: int) -> bool:
        """Whether so many devices of the account click in this pane that this one waits for another pane.

        A matter of the pane's own clicks up to this one, which a replay has again; every device has its turn.
        """
        held = self._store.panes[pane_start].accounts[key[0]]
        clicking = len(held.clicks)
        if clicking <= JUDGED_DEVICES or clicking <= (most := max(JUDGED_DEVICES, held.window.tracked * JUDGED_PART)):
            return False
        turns = int(clicking / most) + 1
        turn = crc32(key[1].encode("utf-8", "surrogatepass")) + pane_start // self._grid.pane_ms
        return turn % turns != 0

    def judge_due(self, watermark_ms: int) -> None:
        """Judge the clicks that have waited long enough."""
        while (due := self._waiting.take(watermark_ms)) is not None:
            self._judge_waited(*due)
        self._context.wake_at(self._waiting.next_ms)

    def _let_wait(self, plan: _Plan, key: DeviceKey, time_ms: int, scope: AccountPane, own: int) -> int | None:
        """Have a click judged later; not one that is only counted, and none while its device has too few.

        Returns how many clicks it has in the windows that rules which wait look at, or as many as matter; None where
        they were not counted.
        """
        if scope.clicks[key[1]].clicks > MAX_CLICKS_KEPT:
            return None
        clicks, end = own, scope.start_ms + self._grid.pane_ms
        if own < max(plan.later.least, plan.at_once.least):
            clicks = self._clicks_in_windows(key, end - plan.later.widest_ms, end)
        if clicks >= plan.later.least:
            self._waiting.add(key, time_ms, plan.wait_ms)
            self._context.wake_at(self._waiting.next_ms)
        return clicks

    def _judge_waited(self, key: DeviceKey, time_ms: int) -> None:
        """Judge a device as of a click that has waited."""
        plan = self._plans.get(key[0]) or self._plan(key[0])
        pane_ms, subject, entries = self._grid.pane_ms, Subject(key[0], "device", key[1]), plan.later.entries
        if (open_subject := self._context.open_subject(subject)) is not None:
            entries = self._context.unsettled(open_subject, entries, time_ms, waited=True)
        end = time_ms - time_ms % pane_ms + pane_ms
        entries = tuple([one for one in entries if self._may_exceed(one, key, end)])
        if not entries:
            return
        cells = clicks_between(self._store, key, end - plan.later.widest_ms, end)
        if cells and sum([cell.clicks for _, cell in cells]) >= plan.later.least:
            view = ClickView(key, time_ms, end, cells, self._store, self._matches, plan.reach, time_ms)
            self._judge(view, subject, entries, None)

    def _may_exceed(self, entry: Entry, key: DeviceKey, end_ms: int) -> bool:
        """Whether it is worth looking at single clicks; also where it is to be counted that nothing can be said."""
        begin_ms = entry.module.reads_from_ms(end_ms, entry.rule, self._grid)
        if begin_ms < self._context.exact_since_ms:
            return True
        if self._clicks_in_windows(key, begin_ms, end_ms) < entry.least:
            return False
        return not entry.shown or self._shown_in_windows(key, begin_ms, end_ms) >= entry.shown

    def _judge(self, view: ClickView, subject: Subject, entries: tuple[Entry, ...], margin: Margin | None) -> None:
        # as of a click that comes late, what the device did since is not seen: a later pane's margin is another one
        last = margin is not None and not clicks_between(
            self._store, view.key, view.end_ms, self._newest_pane + self._grid.pane_ms
        )
        if margin is not None:
            margin.last_ms = max([margin.last_ms, *[click.time_ms for click in view.cells[-1][1].kept]])
        for entry in entries:
            if self._context.lets_pass(entry.name, subject, view.time_ms):
                continue
            found = self._ask(entry, view)
            if margin is not None:
                _note(margin, entry.number, found, last=last)
            if isinstance(found, Exceeded):
                self._report(entry, view, subject, found)

    def _ask(self, entry: Entry, view: ClickView) -> Verdict | None:
        """What a rule says; None where it has nothing more to say in this pane."""
        module, rule = entry.module, entry.rule
        # of a click that has waited, its pane may have got more than are kept meanwhile
        counts = module.COUNTS_ALL or module.WAITS or view.cells[-1][1].clicks <= MAX_CLICKS_KEPT
        if not counts or view.key[1] in rule.allow:
            return None
        if not self._context.exact_from(module.reads_from_ms(view.end_ms, rule, self._grid)):
            return None  # what is evicted, or was not read again, stays so
        return module.evaluate(view, rule)

    def _margin(self, plan: _Plan, key: DeviceKey, time_ms: int, pane_start: int) -> Margin | None:
        """What is left of the device's margin after this click; none where the click is of a pane before."""
        margins = self._matches.margins
        if not self._newest_pane:
            self._newest_pane = max(self._store.panes)  # whoever resumed has panes already
        if pane_start > self._newest_pane:
            self._newest_pane, oldest = pane_start, pane_start - _MARGIN_PANES * self._grid.pane_ms
            for gone in [other for other, held in margins.items() if held.pane_start < oldest]:
                del margins[gone]
        margin = margins.get(key)
        if margin is None:
            return None
        if margin.pane_start > pane_start:
            del margins[key]
            return None
        if margin.pane_start < pane_start:
            margin.move_on(pane_start)
        counts = margin.counts
        counts[ALL] += 1
        counts[REPEATING] += time_ms <= margin.last_ms + plan.gap_ms
        counts[ANSWERING] += self._near(plan.reach, key, pane_start)
        margin.last_ms = max(margin.last_ms, time_ms)
        return margin

    def _near(self, reach: Reach, key: DeviceKey, pane_start: int) -> bool:
        """Whether the latest click of the pane is near an impression, its own or one of its campaign; beyond those that
        are kept it does not matter.
        """
        cell = self._store.panes[pane_start].accounts[key[0]].clicks[key[1]]
        if cell.clicks > MAX_CLICKS_KEPT:
            return False
        click = cell.kept[-1]
        if click.time_ms - reach.near_before <= click.shown_ms:
            return True
        return self._matches.of(key, pane_start, cell, reach)[-1].near_ms is not None

    def _plan(self, account: str) -> _Plan:
        rules = self._context.of_account(account)
        entries = tuple(
            _entry(index, module, settings_of(rules, module.NAME)) for index, module in enumerate(self._modules)
        )
        orphan = rules.click_without_impression
        # as far as any judgement of a click looks: the one whose window it is about to leave
        explained = (orphan.window_s + orphan.horizon_s) * 1000 + self._store.window_ms
        near = fast_click.reach_ms(rules.fast_click)
        wait_ms = click_without_impression.grace_ms(orphan, self._grid)
        made = _Plan(
            _Part.of([entry for entry in entries if not entry.module.WAITS]),
            _Part.of([entry for entry in entries if entry.module.WAITS]),
            wait_ms,
            Reach(near, fast_click.ROUNDING_MS, explained, wait_ms),
            rules.duplicate_click.gap_ms,
        )
        return self._plans.remember(account, made, 4 * len(account))

    def _clicks_in_windows(self, key: DeviceKey, begin_ms: int, end_ms: int) -> int:
        device = key[1]
        return sum([held.clicks_of(device) for held in self._held(key[0], begin_ms, end_ms)])

    def _shown_in_windows(self, key: DeviceKey, begin_ms: int, end_ms: int) -> int:
        device = key[1]
        return sum([held.impressions_of(device) for held in self._held(key[0], begin_ms, end_ms)])

    def _held(self, account: str, begin_ms: int, end_ms: int) -> list[AccountWindow]:
        """An account in the windows that touch [begin, end)."""
        windows, window_ms = self._store.windows, self._store.window_ms
        live = [windows.get(start) for start in range(begin_ms - begin_ms % window_ms, end_ms, window_ms)]
        return [held for window in live if window is not None and (held := window.accounts.get(account)) is not None]

    def _report(self, entry: Entry, view: ClickView, subject: Subject, found: Exceeded) -> None:
        if self._context.again(entry.name, subject, found.judgement, view.time_ms, found.grounds):
            return
        cells = view.since(found.begin_ms)
        campaigns = add_counts([cell.by_campaign() for cell in cells])
        shown = found.judgement.with_details(clicks=sum([cell.clicks for cell in cells]))
        samples = tuple([click.identity for click in found.clicks[:10]])
        self._context.report(
            entry.name,
            traffic_class=entry.traffic_class,
            subject=subject,
            found=shown,
            evidence=Evidence(found.begin_ms, view.end_ms, samples, campaigns),
            at_ms=view.time_ms,
            grounds=found.grounds,
            more=partial(self._shares, view, found.begin_ms, campaigns),
        )

    def _shares(self, view: ClickView, begin_ms: int, campaigns: Mapping[str, int]) -> dict[str, Any]:
        """How much of everybody's clicks the device made."""
        everybody = self._clicks_of_everybody(view, begin_ms, campaigns)
        shares = {campaign: round(campaigns[campaign] / total, 4) for campaign, total in everybody.items()}
        return {"campaign_clicks": everybody, "campaign_shares": shares}

    def grounds_now(self, key: DeviceKey, rule: str, time_ms: int) -> Grounds | None:
        """What a rule rests on as of a click; None where it is not exceeded, or not all it reads is live any more."""
        plan = self._plans.get(key[0]) or self._plan(key[0])
        part = next(part for part in (plan.later, plan.at_once) if rule in {one.name for one in part.entries})
        entry = next(one for one in part.entries if one.name == rule)
        end = time_ms - time_ms % self._grid.pane_ms + self._grid.pane_ms
        cells = clicks_between(self._store, key, end - part.widest_ms, end)
        if not cells or not self._context.exact_from(entry.module.reads_from_ms(end, entry.rule, self._grid)):
            return None
        waited = time_ms if entry.module.WAITS else time_ms - self._grid.grace_ms
        view = ClickView(key, time_ms, end, cells, self._store, self._matches, plan.reach, waited)
        found = entry.module.evaluate(view, entry.rule)
        return None if isinstance(found, int) else found.grounds

    def grounds_of(self, rule: str, account: str, state: object) -> Grounds:
        """What a finding rested on, from its `state`. Raises msgspec.ValidationError."""
        rules = self._context.of_account(account)
        if rule == fast_click.NAME:
            return fast_click.Grounds.of(state, rules.fast_click)
        if rule == device_ctr.NAME:
            return device_ctr.Grounds.of(state, rules.device_ctr)
        return click_without_impression.Grounds.of(state, rules.click_without_impression)

    def _clicks_of_everybody(self, view: ClickView, begin: int, campaigns: Mapping[str, int]) -> dict[str, int]:
        """All clicks in the window, in this partition, on the campaigns that the device clicked most."""
        found: dict[str, int] = {}
        panes = [self._store.panes.get(start) for start in range(begin, view.end_ms, self._grid.pane_ms)]
        held = [pane.accounts.get(view.key[0]) for pane in panes if pane is not None]
        for campaign in sorted(campaigns, key=lambda name: (-campaigns[name], name))[:_MAX_SHARES]:
            cells = [account.campaigns.get(campaign) for account in held if account is not None]
            total = sum(cell.clicks for cell in cells if cell is not None)
            if total:
                found[campaign] = total
        return found


def _note(margin: Margin, number: int, found: Verdict | None, *, last: bool) -> None:
    """Remember what a rule said of the device; `last`: as of its latest click."""
    if isinstance(found, Lasting):
        margin.note(number, found.SORT, found, lasts=last)
    elif isinstance(found, int):
        margin.note(number, ALL, found, lasts=False)
    else:
        margin.note(number, ALL, _NOT_IN_THIS_PANE if found is None else 0, lasts=False)


def _lookback_ms(module: ClickRule, grid: Grid, rules: RulesSettings) -> int:
    if module.WAITS:  # all of them as long
        grid = grid._replace(grace_ms=click_without_impression.grace_ms(rules.click_without_impression, grid))
    return module.lookback_ms(settings_of(rules, module.NAME), grid)
