"""What an event that was not seen before changes: rows, devices, places and campaigns, and whom the rules judge then.

The hot path of hop 1. What the profile taught: dictionaries keyed by one string of an account's own, since a tuple of
strings is built and hashed anew for each event; one tuple per place; a published row that is counted in as it is.
"""

from __future__ import annotations

from sys import intern

from sori.events import AUTHENTICATION, CLICK, IMPRESSION, UNKNOWN, EventDims, Geolocation
from sori.remembered import Remembered
from sori.settings.rules import RulesSettings
from streams.alerts.allowances import VerdictHistory
from streams.alerts.corrections import Stands
from streams.alerts.episodes import EpisodeBook
from streams.alerts.record import Subject
from streams.operators.device_rows import DirtyRows
from streams.operators.snapshots import SnapshotOperator
from streams.rules.context import RuleContext
from streams.rules.device_farm import PACE_MS
from streams.rules.run_device_rules import JUDGED_GAPS, DeviceRules
from streams.snapshots.device_journal import DeviceJournal
from streams.state.checkpoint import Checkpoint
from streams.state.counters import (
    OWED,
    PACED_FROM,
    Click,
    CtrRow,
    DeviceCell,
    DeviceClicks,
    Pace,
    Place,
    Sighting,
    SubjectCell,
)
from streams.state.device_panes import (
    TWICE,
    AccountPane,
    AccountWindow,
    CampaignKey,
    CtrKey,
    Pane,
    PaneStore,
    PlaceKey,
    Window,
)
from streams.state.policy import NEVER_MS, EpisodePolicy, TimePolicy

#: A tuple, since a set would hash each name.
_OF_CAMPAIGNS = (IMPRESSION, CLICK)
#: Places remembered, of one partition.
_PLACES_BYTES = 8 * 1024 * 1024


class DeviceCounting(SnapshotOperator):
    """State of one partition of the events topic, and how an event changes it."""

    def __init__(
        self,
        partition: int,
        policy: TimePolicy,
        rules: RulesSettings,
        resume: Checkpoint | None = None,
        verdicts: VerdictHistory | None = None,
    ) -> None:
        super().__init__(partition, policy, EpisodePolicy.of(rules, policy.lateness_ms), resume, verdicts)
        self._store = PaneStore(policy.pane_ms, policy.window_ms)
        self._awaited = self._store.awaited
        self._dirty = DirtyRows(partition, self.clock, self._store)
        if resume is not None and not self.replaying:  # else at the replay's end
            self._dirty.held.flushed(self.clock.watermark if resume.watermark_ms is None else resume.watermark_ms)
        self._journal: DeviceJournal | None = None
        self._places: Remembered[Geolocation | None, Place] = Remembered(_PLACES_BYTES)
        self._context = RuleContext(
            rules, policy, self.episodes, self.clock, self._replay_start, allowances=self.allowances
        )
        self._rules = DeviceRules(self._context, self._store)
        #: Whether the event that was counted last is of a row that is not held.
        self._row_capped = False

    @staticmethod
    def book(episodes: EpisodePolicy, policy: TimePolicy) -> EpisodeBook:
        """Whoever exceeds a rule is judged once a window, and as its count doubles; whatever it does prolongs that."""
        return EpisodeBook(episodes, policy.window_ms, policy.puts_right_ms, Stands.of_windows(policy.pane_ms))

    def _judge_due(self, watermark_ms: int) -> None:
        self.clock.due_ms = NEVER_MS
        self._rules.judge_due(watermark_ms)

    def _count(self, event: EventDims, name: str, time_ms: int, identity: str, scope: AccountPane) -> None:
        """Count an event that was not seen before, and have the rules judge what it changed."""
        device = event.device_id
        cell = None
        if device:
            cell = scope.window.devices.get(device) or self._track(scope.window, device)
            if cell is not None:
                cell.events += 1
                if not cell.dirty:
                    cell.dirty = True
                    self._dirty.devices.append((scope.window, device, cell))
        if cell is None and self._journal is not None:
            self._journal.alone.append(scope)
        if name in _OF_CAMPAIGNS:
            self._count_campaign_event(event, name == CLICK, time_ms, identity, scope, cell)
        elif cell is not None and name == AUTHENTICATION:
            cell.authentications += 1
            if cell.authentications <= TWICE:
                self._count_sign_in(event, scope, cell.authentications)
            if cell.authentications >= self._rules.auth_gate:
                self._rules.on_authentication((event.account_id, device or ""), cell, time_ms, identity)
        if cell is not None and cell.events >= self._rules.event_gate:
            self._rules.on_event((event.account_id, device or ""), cell, time_ms, identity)

    def _count_sign_in(self, event: EventDims, scope: AccountPane, sign_ins: int) -> None:
        if sign_ins == TWICE:
            self._store.note_active(event.account_id, event.device_id or "", scope.window.window.start_ms)
            return
        place = self._places.get(event.geolocation) or self._place(event)
        at_place = scope.places.get(place) or self._at_place(scope, place)
        at_place.sign_ins += 1
        if not at_place.dirty:
            self._dirty.add_subject(scope.start_ms, PlaceKey(event.account_id, *place), at_place)

    def _count_campaign_event(  # noqa: C901, PLR0912, PLR0915, PLR0917 - hot
        self, event: EventDims, click: bool, time_ms: int, identity: str, scope: AccountPane, device: DeviceCell | None
    ) -> None:
        # Written out where a property or a method would do: each costs a twentieth of the event.
        campaign, material, geo = event.campaign, event.material, event.geolocation
        campaign_id = (campaign and campaign.id) or event.campaign_id_legacy or ""
        material_id = (material and material.id) or event.material_id_legacy or ""
        platform, place = event.platform or UNKNOWN, self._places.get(geo) or self._place(event)
        key = (campaign_id, material_id, platform, place)
        row = scope.window.ctr.get(key) or self._row(scope.window, key)
        if row.version >= 0:
            row.version = OWED
            self._dirty.ctr.append(row)
        at_place = scope.places.get(place) or self._at_place(scope, place)
        if not at_place.dirty:
            self._dirty.add_subject(scope.start_ms, PlaceKey(event.account_id, *place), at_place)
        of_campaign = None
        if campaign_id:
            of_campaign = scope.campaigns.get(campaign_id) or self._of_campaign(scope, campaign_id)
            if not of_campaign.dirty:
                self._dirty.add_subject(scope.start_ms, CampaignKey(event.account_id, campaign_id), of_campaign)
        if device is not None:
            if device.place is None:
                device.place = place
            elif device.sightings is not None or (device.place is not place and device.place[0] != place[0]):
                seen = Sighting(time_ms, place[0], intern(platform), click, identity)
                self._rules.on_country((event.account_id, event.device_id or ""), device, seen)
        if click:
            row.clicks += 1
            self._count_click(event, (row, at_place, of_campaign), device, time_ms, identity, scope)
            return
        row.impressions += 1
        if identity in self._awaited:
            self._store.show(event.account_id, identity, time_ms)
        at_place.impressions += 1
        if of_campaign is not None:
            of_campaign.impressions += 1
        if device is not None:
            device.impressions += 1
            shown_ms = time_ms - scope.window.window.start_ms
            if shown_ms >= device.shown_ms:
                if device.impressions >= PACED_FROM:
                    pace, gap_ms = device.pace, shown_ms - device.shown_ms
                    if pace is None:
                        pace = device.pace = Pace()
                    pace.gaps += 1
                    pace.sum_ms += gap_ms
                    pace.squares += gap_ms * gap_ms
                    if place is not device.place and place != device.place:
                        pace.elsewhere += 1
                    if not pace.gaps & JUDGED_GAPS:
                        self._rules.on_shown((event.account_id, event.device_id or ""), device, time_ms, identity)
                device.shown_ms, device.shown_campaign = shown_ms, row.campaign_id
            if device.campaign != campaign_id:
                device.shown_another(row.campaign_id)  # one string for all devices, the event's own can go
        if self.clock.correctable:
            self._put_right(event, campaign_id, time_ms, identity)

    def _count_click(  # noqa: PLR0917 - hot
        self,
        event: EventDims,
        cells: tuple[CtrRow, SubjectCell, SubjectCell | None],
        device_cell: DeviceCell | None,
        time_ms: int,
        identity: str,
        scope: AccountPane,
    ) -> None:
        device, (row, at_place, of_campaign) = event.device_id or "", cells
        script = None
        if device_cell is not None:
            device_cell.clicks += 1
            clicks = scope.clicks.get(device)
            if clicks is None:
                clicks = scope.clicks[device] = DeviceClicks()
                self._store.note_clicks(event.account_id, device, scope.start_ms, clicks)
                self._store.note_active(event.account_id, device, scope.window.window.start_ms)
                script = self._script(event, device_cell, time_ms, identity, scope)
            # the row's texts: the event's own can go
            shown_ms = shown_before(device_cell, row.campaign_id, scope.window.window.start_ms, time_ms)
            clicks.add(Click(time_ms, row.campaign_id, row.material_id, identity, shown_ms))
        at_place.add_click(device, script, identity)
        at_place.add_campaign_click(row.campaign_id)
        if of_campaign is not None:
            first = of_campaign.add_click(device, script, identity)
            if scope.campaigns.get(row.campaign_id) is of_campaign:  # beyond the cap it is nobody's
                scope.clicking_devices += first
                scope.shown_devices += script is not None
            if device:
                of_campaign.clicked_by(identity, device)
        if device_cell is not None:
            self._rules.on_click((event.account_id, device), time_ms, scope.start_ms)
            if self._context.any_open:
                self._mark_suspect(row, scope.window.window, Subject(event.account_id, "device", device))

    def _came_again(self, event: EventDims, name: str, identity: str, scope: AccountPane) -> None:
        """An event whose id is known already: a click that another device tells is not SORI's retry."""
        self.counters.duplicates += 1
        of_campaign = scope.campaigns.get(event.campaign_id) if name == CLICK else None
        if of_campaign is None or not event.device_id or not of_campaign.clicks:
            return
        own = scope.clicks.get(event.device_id)
        if own is not None and any(click.identity == identity for click in own.kept):
            return  # it is noted as far as it can be; of others, it would take the place of one that a crowd tells
        if of_campaign.clicked_by(identity, event.device_id, again=True) and not of_campaign.dirty:
            self._dirty.add_subject(scope.start_ms, CampaignKey(event.account_id, event.campaign_id), of_campaign)

    def _put_right(self, event: EventDims, campaign: str, time_ms: int, identity: str) -> None:
        """An impression may explain what its device, or the one that clicked on it, is accused of."""
        account, own, corrections = event.account_id, event.device_id or "", self.episodes.corrections
        missing = corrections.missing(account, identity)
        if not missing and Subject(account, "device", own) not in corrections:
            return  # as nearly all, also where many are accused
        accused = {subject.value for subject in missing}
        for device in sorted(accused | {own}):
            of_own = campaign if device == own else None
            for row, clicks in self._rules.on_impression((account, device), of_own, identity, time_ms):
                row.suspect_clicks -= clicks
                if row.version >= 0:
                    row.version = OWED
                    self._dirty.ctr.append(row)

    def _mark_suspect(self, row: CtrRow, window: Window, device: Subject) -> None:
        """Count a click also as suspect when its device is in an open episode (its opening click included)."""
        open_subject = self._context.open_subject(device)
        if open_subject is not None:
            row.suspect_clicks += 1
            self._context.mark(device, open_subject, row)
            if window.suspects is None:  # what later ones stand on begins later
                window.suspects = self._context.replay_start()

    def _script(
        self, event: EventDims, cell: DeviceCell, time_ms: int, identity: str, scope: AccountPane
    ) -> str | None:
        """What the device did up to this click; None where its impression is not in its window.

        It reads that window only: a pane is rebuilt together with its window. Where click and impression have ids of
        their own, it is the latest of the campaign on the device, as long as there are enough for its clicks.
        """
        begin = scope.window.window.start_ms
        shown = self._store.shown_at(event.account_id, identity, begin, time_ms)
        if shown is None:
            shown = shown_before(cell, event.campaign_id, begin, time_ms)
            if shown < 0 or cell.clicks > cell.impressions:
                return None
        done = f"{cell.authentications},{cell.impressions},{cell.clicks}"
        return f"{event.platform or UNKNOWN}|{event.campaign_id}|{done}|{(time_ms - shown) // PACE_MS}"

    def _track(self, held: AccountWindow, device: str) -> DeviceCell | None:
        """The cell of a device that was packed, or one for one more; None where the window tracks no more."""
        if held.window.cold_devices is not None and (found := held.find(device)) is not None:
            return found
        if not held.admits(self.policy.max_devices, self.policy.max_account_devices):
            self.counters.untracked += 1
            return None
        cell = held.devices[device] = DeviceCell()
        return cell

    def _open(self, pane: Pane, account: str) -> AccountPane | None:
        """Begin to hold an account in a pane; None where its window holds no more of them."""
        accounts = pane.window.accounts
        if account not in accounts and len(accounts) >= self.policy.caps.accounts:
            self.counters.capped_accounts += 1
            self.counters.capped_account = account
            return None
        return pane.open(account)

    def _at_place(self, scope: AccountPane, place: Place) -> SubjectCell:
        """Begin to count a place; beyond the cap in a cell that nobody sees."""
        return scope.place(place) if self._admits_subject(scope) else SubjectCell(dirty=True)

    def _of_campaign(self, scope: AccountPane, campaign: str) -> SubjectCell:
        """Likewise a campaign."""
        return scope.campaign(campaign) if self._admits_subject(scope) else SubjectCell(dirty=True)

    def _admits_subject(self, scope: AccountPane) -> bool:
        """Whether a pane holds one more place or campaign; it is counted then. First come, first held, as devices."""
        pane, caps = self._store.panes[scope.start_ms], self.policy.caps
        if pane.subjects >= caps.subjects or scope.subjects >= caps.account_subjects:
            self.counters.capped_subjects += 1
            self.counters.capped_account = scope.window.account
            return False
        pane.subjects += 1
        return True

    def _row(self, held: AccountWindow, key: CtrKey) -> CtrRow:
        """A new row, owed; beyond the cap one that is never published, so that no part of a row ever is."""
        caps = self.policy.caps
        if held.window.rows >= caps.rows or len(held.ctr) >= caps.account_rows:
            self._row_capped = True
            self.counters.capped_rows += 1
            self.counters.capped_account = held.account
            return CtrRow(held.window.start_s, held.account, *key[:3], *key[3], self.partition)
        held.window.rows += 1
        # each event has texts of its own, and most rows of a window and of the next one share theirs
        campaign, material, platform, place = intern(key[0]), intern(key[1]), intern(key[2]), key[3]
        key = (campaign, material, platform, place)
        start = held.window.start_s
        row = held.ctr[key] = CtrRow(start, held.account, campaign, material, platform, *place, self.partition)
        self._dirty.ctr.append(row)
        return row

    def _place(self, event: EventDims) -> Place:
        """The event's place: one tuple for all events that have it, so that hashing and comparing it costs little."""
        country, region, city = place = event.place
        return self._places.remember(event.geolocation, place, 4 * (len(country) + len(region) + len(city)))


def shown_before(cell: DeviceCell, campaign: str, window_ms: int, time_ms: int) -> int:
    """When the device was shown this campaign, if nothing else since, in the window that starts then; -1: not."""
    shown_ms = window_ms + cell.shown_ms
    return shown_ms if cell.shown_campaign == campaign and cell.shown_ms >= 0 and shown_ms <= time_ms else -1
