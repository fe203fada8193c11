"""Runs the device rules over one partition's panes: after a click, a move, or a count beyond a cheap gate."""

from __future__ import annotations

from sori.settings.rules import DeviceAuthBurst, DeviceEventBurst
from streams.alerts.record import Subject
from streams.rules import device_counts, geo_hop
from streams.rules.context import Evidence, RuleContext
from streams.rules.run_click_rules import ClickRules
from streams.state.counters import DeviceCell, Place
from streams.state.device_panes import DeviceKey, PaneStore

#: Regions of one device in one window that are told apart: whoever invents more has exceeded the rule by then.
_MAX_REGIONS = 64


class DeviceRules:
    """Judges devices. `event_gate` and `auth_gate`: counts in one window below which nothing needs to be judged."""

    def __init__(self, context: RuleContext, store: PaneStore) -> None:
        self._context = context
        self._store = store
        self._window_ms = window_ms = store.window_ms
        self._clicks = ClickRules(context, store)
        context.check(
            device_counts.EVENTS_NAME, lambda rules: device_counts.lookback_ms(rules.device_event_burst, window_ms)
        )
        context.check(
            device_counts.AUTHS_NAME, lambda rules: device_counts.lookback_ms(rules.device_auth_burst, window_ms)
        )
        context.check(geo_hop.NAME, lambda rules: geo_hop.lookback_ms(rules.geo_hop, window_ms))
        # a window and the rest of the one before hold the floor only if one of them holds half of it
        self.event_gate = min(-(-rules.device_event_burst.floor // 2) for rules in context.rules.variants())
        self.auth_gate = min(-(-rules.device_auth_burst.floor // 2) for rules in context.rules.variants())

    def on_click(self, key: DeviceKey, time_ms: int, pane_start: int) -> None:
        """Judge a device's clicks."""
        if not self._context.allowed(key[0], "device", key[1]):
            self._clicks.on_click(key, time_ms, pane_start)

    def on_event(self, key: DeviceKey, cell: DeviceCell, time_ms: int, identity: str) -> None:
        """Judge how many events a device sends."""
        if self._settled(device_counts.EVENTS_NAME, key, time_ms):
            return
        rule = self._context.of_account(key[0]).device_event_burst
        counts = [other.events for other in (cell, *self._before(key, time_ms, rule))]
        self._count(device_counts.EVENTS_NAME, rule, key, counts, time_ms=time_ms, identity=identity)

    def on_authentication(self, key: DeviceKey, cell: DeviceCell, time_ms: int, identity: str) -> None:
        """Judge how often a device authenticates."""
        if self._settled(device_counts.AUTHS_NAME, key, time_ms):
            return
        rule = self._context.of_account(key[0]).device_auth_burst
        counts = [other.authentications for other in (cell, *self._before(key, time_ms, rule))]
        self._count(device_counts.AUTHS_NAME, rule, key, counts, time_ms=time_ms, identity=identity)

    def on_place(self, key: DeviceKey, cell: DeviceCell, place: Place, time_ms: int, identity: str) -> None:
        """Take note of a place not seen before in this window, and judge where the device was."""
        if cell.place is None:
            cell.place = place
            return
        region = place[:2]
        if cell.regions is None:
            cell.regions = {cell.place[:2]: ""}
        if region in cell.regions or len(cell.regions) >= _MAX_REGIONS:
            return
        cell.regions[region] = identity
        if self._settled(geo_hop.NAME, key, time_ms):
            return
        rule = self._context.of_account(key[0]).geo_hop
        start = time_ms - time_ms % self._window_ms
        begin = start + self._window_ms - geo_hop.lookback_ms(rule, self._window_ms)
        if not self._may_judge(key, rule.enabled, rule.allow, begin):
            return
        seen: dict[tuple[str, str], str] = {}
        for window_start in range(begin, start + 1, self._window_ms):
            window = self._store.windows.get(window_start)
            other = None if window is None else window.device(key)
            if other is not None and other.place is not None:
                seen.update(other.regions or {other.place[:2]: ""})
        if found := geo_hop.judge(seen, rule):
            samples = tuple(sample for sample in seen.values() if sample)
            evidence = Evidence(begin, start + self._window_ms, samples)
            self._context.report(
                geo_hop.NAME,
                traffic_class=geo_hop.TRAFFIC_CLASS,
                subject=Subject(key[0], "device", key[1]),
                found=found,
                evidence=evidence,
                at_ms=time_ms,
            )

    def _settled(self, name: str, key: DeviceKey, time_ms: int) -> bool:
        if not self._context.any_open:
            return False
        open_subject = self._context.open_subject(Subject(key[0], "device", key[1]))
        return self._context.settled(open_subject, name, time_ms)

    def _may_judge(self, key: DeviceKey, enabled: bool, allow: tuple[str, ...], begin_ms: int) -> bool:
        account, device = key
        if not enabled or device in allow or self._context.allowed(account, "device", device):
            return False
        return self._context.exact_from(begin_ms)

    def _before(self, key: DeviceKey, time_ms: int, rule: DeviceEventBurst | DeviceAuthBurst) -> list[DeviceCell]:
        """The device in the window before this one, then in those of the baseline."""
        start = time_ms - time_ms % self._window_ms
        windows = (
            self._store.windows.get(start - back * self._window_ms) for back in range(1, rule.baseline_windows + 2)
        )
        empty = DeviceCell()
        return [(None if window is None else window.device(key)) or empty for window in windows]

    def _count(
        self,
        name: str,
        rule: DeviceEventBurst | DeviceAuthBurst,
        key: DeviceKey,
        counts: list[int],
        *,
        time_ms: int,
        identity: str,
    ) -> None:
        start = time_ms - time_ms % self._window_ms
        begin = start + self._window_ms - device_counts.lookback_ms(rule, self._window_ms)
        if not self._may_judge(key, rule.enabled, rule.allow, begin):
            return
        elapsed = (time_ms - start) / self._window_ms
        if found := device_counts.judge(counts[0], counts[1], elapsed, sum(counts[2:]), rule):
            self._context.report(
                name,
                traffic_class=device_counts.TRAFFIC_CLASS,
                subject=Subject(key[0], "device", key[1]),
                found=found,
                evidence=Evidence(time_ms - self._window_ms, time_ms, (identity,)),
                at_ms=time_ms,
            )
