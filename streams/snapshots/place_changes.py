"""What changed in hop 2's panes since the last part, and putting it back."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sori.errors import SnapshotRefused
from streams.snapshots.parts import FORMAT, MAX_CELLS, Changes, encode, read
from streams.state.campaign_totals import BySource
from streams.state.device_panes import CampaignKey, PlaceKey, SubjectKey, ToldDevice
from streams.state.place_panes import RollUpPane, Series, SubjectSums


class _SubjectChanges(msgspec.Struct, array_like=True, gc=False):
    """`key`: two strings of a campaign, three of a device, four of a place."""

    key: list[str]
    sums: SubjectSums


class _PaneChanges(msgspec.Struct, array_like=True, gc=False):
    start_ms: int
    first_offset: int
    subjects: list[_SubjectChanges]
    totals: dict[str, BySource]
    sign_ins: dict[str, dict[int, int]]


class _PlaceChanges(msgspec.Struct, array_like=True, gc=False):
    format: int
    panes: list[_PaneChanges]


_decoder = msgspec.msgpack.Decoder(_PlaceChanges)


class PlaceJournal:
    """Subjects, and accounts' totals, that changed since the last part, each with its pane."""

    def __init__(self, panes: dict[int, RollUpPane], series: Series, pane_ms: int) -> None:
        self._panes = panes
        self._series = series
        self._pane_ms = pane_ms
        #: Sets in order, so that what is loaded lies as it lay.
        self.subjects: dict[tuple[int, SubjectKey], None] = {}
        self.totals: dict[tuple[int, str], None] = {}

    def take(self, most: int = MAX_CELLS) -> Iterator[Changes]:
        """Forget what changed, and encode it in parts of about `most` cells each; see DeviceJournal.take."""
        subjects, totals = self.subjects, self.totals
        self.subjects, self.totals = {}, {}
        found: dict[int, _PaneChanges] = {}
        for cells, (start, key) in enumerate(subjects, 1):
            series = self._series.get(key)
            sums = None if series is None else series.get(start)
            if sums is not None:
                sums.cool()
                self._of(start, found).subjects.append(_SubjectChanges(list(key), sums))
            if found and cells % most == 0:
                yield self._encoded(found)
        for cells, (start, account) in enumerate(totals, 1):
            pane = self._panes.get(start)
            if pane is not None:
                changes = self._of(start, found)
                changes.totals[account] = pane.totals[account]
                if account in pane.sign_ins:
                    changes.sign_ins[account] = pane.sign_ins[account]
            if found and cells % most == 0:
                yield self._encoded(found)
        if found:
            yield self._encoded(found)

    def _encoded(self, found: dict[int, _PaneChanges]) -> Changes:
        changes = Changes(encode(_PlaceChanges(FORMAT, list(found.values()))), max(found) + self._pane_ms)
        found.clear()
        return changes

    def _of(self, start: int, found: dict[int, _PaneChanges]) -> _PaneChanges:
        changes = found.get(start)
        if changes is None:
            changes = found[start] = _PaneChanges(start, self._panes[start].first_offset, [], {}, {})
        return changes


class PlaceLoader:
    """Puts parts back into empty panes."""

    def __init__(self, panes: dict[int, RollUpPane], series: Series) -> None:
        self._panes = panes
        self._series = series
        self._live: frozenset[int] = frozenset()

    def now_live(self, live: frozenset[int]) -> None:
        """Starts of the panes that are not evicted."""
        self._live = live

    def merge(self, blob: bytes) -> None:
        """Take a part. Raises SnapshotRefused."""
        changes = read(_decoder, blob)
        if changes.format != FORMAT:
            raise SnapshotRefused(f"a part has format {changes.format}, not {FORMAT}")
        for pane in changes.panes:
            if pane.start_ms in self._live:
                self._merge_pane(pane)

    def _merge_pane(self, changes: _PaneChanges) -> None:
        pane = self._panes.get(changes.start_ms)
        if pane is None:
            pane = self._panes[changes.start_ms] = RollUpPane(changes.start_ms, changes.first_offset)
        pane.put_totals(changes.totals, changes.sign_ins)
        for subject in changes.subjects:
            if not subject.sums.whole:
                raise SnapshotRefused("a subject's sums are not as they are written")
            pane.put(self._series, _key(subject.key), subject.sums)


def _key(names: list[str]) -> SubjectKey:
    if len(names) == len(CampaignKey._fields):
        return CampaignKey(*names)
    if len(names) == len(PlaceKey._fields):
        return PlaceKey(*names)
    if len(names) == len(ToldDevice._fields) and (told := ToldDevice(*names[:2])) == tuple(names):
        return told
    raise SnapshotRefused(f"neither a place nor a campaign nor a device: {len(names)} names")
