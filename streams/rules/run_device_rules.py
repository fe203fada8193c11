"""Runs the device rules over one partition's panes: after a click, a move, or a count beyond a cheap gate."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from sori.events import AUTHENTICATION, IMPRESSION, UNKNOWN
from sori.settings.rules import RulesSettings
from streams.alerts.corrections import Grounds
from streams.alerts.record import Subject
from streams.rules import registry
from streams.rules.click_view import Grid
from streams.rules.context import Evidence, RuleContext
from streams.rules.run_click_rules import ClickRules
from streams.rules.terms import Terms
from streams.rules.window_view import WindowRule, WindowView, settings_of
from streams.state.counters import CtrRow, DeviceCell, Sighting
from streams.state.device_panes import DeviceKey, PaneStore

#: Events of one device in one window of which it is known where it was: whoever has more has exceeded the rule by then.
_MAX_SIGHTINGS = 64
#: A device's impressions are judged where its times between them have none of these bits.
JUDGED_GAPS = 3
#: Times between impressions in a window from which on it is judged when they have doubled.
_MOST_GAPS = 64
#: Nothing is asked for where no rule would answer.
_NEVER = 2**62
#: Of so many devices it is remembered; judging them anew finds the same.
_MOST_ASKED = 10_000


class _Asked(NamedTuple):
    """A device that sends much, and exceeds no rule about that before it has `due` events in this window, or more than
    `before` in the one before.

    The window and not its cell: that is packed and unpacked again meanwhile, as nobody may notice.
    """

    start_ms: int
    due: int
    before: int


class DeviceRules:
    """Judges devices. `event_gate` and `auth_gate`: counts in one window below which nothing needs to be judged."""

    def __init__(self, context: RuleContext, store: PaneStore) -> None:
        self._context = context
        self._store = store
        self._grid = grid = Grid(store.pane_ms, store.window_ms, context.policy.grace_ms)
        self._clicks = ClickRules(context, store)
        for module in (*registry.COUNT_RULES, *registry.MOVE_RULES):
            context.check(module.NAME, partial(_lookback_ms, module, grid))
        self._of_events = tuple(module for module in registry.COUNT_RULES if not module.JUDGES)
        self._of_auths = tuple(module for module in registry.COUNT_RULES if AUTHENTICATION in module.JUDGES)
        self._of_impressions = tuple(module for module in registry.COUNT_RULES if IMPRESSION in module.JUDGES)
        even = [rules.device_impressions for rules in context.rules.variants()]
        #: Of the present window alone: twice as uneven as over many, and so many impressions, may exceed the rule.
        self._most_spread = 1 + 2 * max(rule.max_spread for rule in even)
        self._least_shown = min(rule.per_minute for rule in even) * store.window_ms / 60_000
        self._asked: dict[DeviceKey, _Asked] = {}
        self._terms = Terms(context, (*registry.COUNT_RULES, *registry.MOVE_RULES), grid)
        self.event_gate = self._gate(self._of_events)
        self.auth_gate = self._gate(self._of_auths)

    def on_click(self, key: DeviceKey, time_ms: int, pane_start: int) -> None:
        """Judge a device's clicks."""
        if not self._context.allowed(key[0], "device", key[1]):
            self._clicks.on_click(key, time_ms, pane_start)

    def judge_due(self, watermark_ms: int) -> None:
        """Judge what has waited until now for what may come late."""
        self._clicks.judge_due(watermark_ms)

    def on_impression(
        self, key: DeviceKey, campaign: str | None, identity: str, time_ms: int
    ) -> list[tuple[CtrRow, int]]:
        """Take what may have come late; rows, and how many of their clicks are suspect no longer."""
        asked_again = partial(self._clicks.grounds_now, key)
        return self._context.put_right(Subject(key[0], "device", key[1]), campaign, identity, time_ms, asked_again)

    def grounds_of(self, rule: str, subject: Subject, state: object) -> Grounds:
        """What a finding rested on, from the `state` of it."""
        return self._clicks.grounds_of(rule, subject.account_id, state)

    def on_event(self, key: DeviceKey, cell: DeviceCell, time_ms: int, identity: str) -> None:
        """Judge how many events a device sends; to be called for each one in any window from `event_gate` on."""
        asked = self._asked.get(key)
        if asked is not None:
            start_ms = time_ms - time_ms % self._store.window_ms
            if asked.start_ms == start_ms and cell.events < asked.due and asked.before == self._before(key, start_ms):
                return
            del self._asked[key]  # another window's event: what the device sent before may be more than was known
        view = WindowView(key, cell, time_ms, identity, self._store)
        if self._judge(self._of_events, view) and (due := self._due(view)) > cell.events + 1:
            if len(self._asked) >= _MOST_ASKED:
                self._asked.clear()
            self._asked[key] = _Asked(view.start_ms, due, self._before(key, view.start_ms))

    def _due(self, view: WindowView) -> int:
        """After how many events in this window a rule about events could be exceeded; 0: at once, for all we know."""
        rules, due = self._context.of_account(view.key[0]), _NEVER
        for module in self._of_events:
            ask = getattr(module, "due", None)
            due = min(due, ask(view, settings_of(rules, module.NAME)) if ask else 0)
        return due

    def _before(self, key: DeviceKey, start_ms: int) -> int:
        """How often it sent something in the window before; one that was packed stays so."""
        window = self._store.windows.get(start_ms - self._store.window_ms)
        held = None if window is None else window.accounts.get(key[0])
        return 0 if held is None else held.events_of(key[1])

    def on_authentication(self, key: DeviceKey, cell: DeviceCell, time_ms: int, identity: str) -> None:
        """Judge how often a device authenticates."""
        self._judge(self._of_auths, WindowView(key, cell, time_ms, identity, self._store))

    def on_shown(self, key: DeviceKey, cell: DeviceCell, time_ms: int, identity: str) -> None:
        """Judge how a device's impressions follow each other: at each fourth one, and of very many ever more seldom."""
        pace = cell.pace
        if pace is None or pace.gaps & JUDGED_GAPS or (pace.gaps > _MOST_GAPS and pace.gaps & (pace.gaps - 1)):
            return
        if cell.impressions < self._least_shown and pace.gaps * pace.squares > self._most_spread * pace.sum_ms**2:
            return  # as nearly always, and the rest costs more
        self._judge(self._of_impressions, WindowView(key, cell, time_ms, identity, self._store))

    def on_country(self, key: DeviceKey, cell: DeviceCell, seen: Sighting) -> None:
        """Take note of an event from the device's second country in its window on, and judge where it was."""
        if cell.sightings is None:
            start_ms = seen.time_ms - seen.time_ms % self._store.window_ms
            cell.sightings = [Sighting(start_ms, cell.place[0] if cell.place else UNKNOWN)]
        if len(cell.sightings) >= _MAX_SIGHTINGS:
            return
        moved = cell.sightings[-1].country != seen.country
        cell.sightings.append(seen)
        if moved:
            self._judge(registry.MOVE_RULES, WindowView(key, cell, seen.time_ms, seen.identity, self._store))

    def _gate(self, modules: tuple[WindowRule, ...]) -> int:
        variants = list(self._context.rules.variants())
        gates = (module.gate(settings_of(rules, module.NAME)) for module in modules for rules in variants)
        return min(gates, default=_NEVER)

    def _judge(self, modules: tuple[WindowRule, ...], view: WindowView) -> bool:
        """Whether each was asked, found nothing, and takes no event of this window for one of an open episode."""
        context, (account, device) = self._context, view.key
        terms, end, quiet = self._terms.of(account), view.start_ms + view.window_ms, True
        for module in modules:
            if context.any_open:
                open_subject = context.open_subject(Subject(account, "device", device))
                case = None if open_subject is None else open_subject.cases.get(module.NAME)
                quiet = quiet and (case is None or case.step_end_ms <= view.start_ms)
                if context.settled(open_subject, module.NAME, view.time_ms):
                    continue
            rule, lookback_ms = terms[module.NAME]
            if not context.runs(rule, device) or context.allowed(account, "device", device):
                continue
            if context.lets_pass(module.NAME, Subject(account, "device", device), view.time_ms):
                continue
            if not context.exact_from(end - lookback_ms):
                quiet = False
                continue
            found = module.evaluate(view, rule)
            if found is not None:
                quiet = False
                context.report(
                    module.NAME,
                    traffic_class=module.TRAFFIC_CLASS,
                    subject=Subject(account, "device", device),
                    found=found.judgement,
                    evidence=Evidence(found.begin_ms, found.end_ms, found.samples),
                    at_ms=view.time_ms,
                )
        return quiet


def _lookback_ms(module: WindowRule, grid: Grid, rules: RulesSettings) -> int:
    return module.lookback_ms(settings_of(rules, module.NAME), grid)
