"""Devices of a window that has cooled down, of all accounts: digests in one table, and what was counted in columns.

About 20 bytes each, where a cell with its key holds 240 and more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from streams.state.counters import DeviceCell, Pace, Place
from streams.state.digests import DIGESTER, Digests, DigestTable, column

_OF_PACES = len(Pace.__struct_fields__)
_NO_PACE = (0,) * _OF_PACES
_Ints = npt.NDArray[np.int64]
Name = TypeVar("Name")


class CellsOf(NamedTuple):
    """Devices of one account, and their cells."""

    account: str
    devices: Sequence[str]
    cells: Sequence[DeviceCell]


class Rows(NamedTuple):
    """What is held, one row a device, in any order: its counts; how many `others` it was shown, their names, how often.

    Columns of `counts`: impressions, clicks, authentications, events, the numbers of its place and campaign, when its
    latest impression was, plus one, and the number of that campaign. Columns of `paces`: those of `Pace`, 0 where there
    is none.
    """

    digests: Digests
    counts: _Ints
    others: _Ints
    names: _Ints
    shown: _Ints
    paces: _Ints

    def at(self, rows: _Ints) -> Rows:
        """Some of them, in this order."""
        others, begins = self.others[rows], (np.cumsum(self.others) - self.others)[rows]
        ends = np.cumsum(others)
        inner = np.repeat(begins - (ends - others), others) + np.arange(others.sum())
        return Rows(
            self.digests[rows], self.counts[rows], others, self.names[inner], self.shown[inner], self.paces[rows]
        )

    def joined(self, more: Rows) -> Rows:
        """These, and then those."""
        return Rows(
            np.concatenate([self.digests, more.digests]),
            np.concatenate([self.counts, more.counts]),
            np.concatenate([self.others, more.others]),
            np.concatenate([self.names, more.names]),
            np.concatenate([self.shown, more.shown]),
            np.concatenate([self.paces, more.paces]),
        )


class ColdDevices:
    """Cells that few events still change: each can be had back as a cell.

    A place and a campaign are named by their number in `places` and `campaigns`; 0 is none. Of device `n` the other
    campaigns that it was shown are those from `ends[n - 1]` to `ends[n]`. `paced`: in order, the few that have a pace.
    """

    __slots__ = ("campaigns", "columns", "ends", "names", "paced", "paces", "places", "shown", "table")

    def __init__(self, rows: Rows, names: Names, table: DigestTable) -> None:
        self.table = table
        self.places, self.campaigns = names.places, names.campaigns
        self.columns = [column(counts) for counts in rows.counts.T]
        self.ends = column(np.cumsum(rows.others)) if len(rows.names) else None
        self.names, self.shown = column(rows.names), column(rows.shown)
        paced = np.flatnonzero(rows.paces[:, 0])
        self.paced, self.paces = column(paced), [column(told) for told in rows.paces[paced].T]

    @classmethod
    def of(cls, parts: Sequence[CellsOf], known: ColdDevices | None) -> ColdDevices:
        """What the parts say, and what is known of other devices."""
        names = Names([None], [None]) if known is None else Names(known.places, known.campaigns)
        digester = DIGESTER if known is None else known.table.digester
        groups = [(digester.group(part.account, ""), len(part.cells)) for part in parts]
        digests = digester.of_all([device for part in parts for device in part.devices], groups)
        rows = names.rows(digests, [cell for part in parts for cell in part.cells])
        if known is not None:
            stays = np.ones(len(known), bool)
            for part in parts:
                for device in part.devices:
                    stays[list(known.at(part.account, device))] = False
            rows = known.rows().at(np.flatnonzero(stays)).joined(rows)
        rows = rows.at(DigestTable.order_of(rows.digests))
        return cls(rows, names, DigestTable(digester, rows.digests))

    def __len__(self) -> int:
        return len(self.table)

    def get(self, account: str, device: str) -> DeviceCell | None:
        """A cell of its own that says what is known of the device."""
        found = self.at(account, device)
        return self.cell(found[0]) if found else None

    def impressions_of(self, account: str, device: str) -> int:
        """How often the device was shown something."""
        found = self.at(account, device)
        return self.columns[0][found[0]] if found else 0

    def events_of(self, account: str, device: str) -> int:
        """How often the device sent something."""
        found = self.at(account, device)
        return self.columns[3][found[0]] if found else 0

    def cell(self, at: int) -> DeviceCell:
        """What a row says."""
        impressions, clicks, authentications, events, place, campaign, shown, last = [
            counts[at] for counts in self.columns
        ]
        others = None
        if self.ends is not None and (begin := self.ends[at - 1] if at else 0) < (end := self.ends[at]):
            campaigns = [self.campaigns[name] or "" for name in self.names[begin:end]]
            others = dict(zip(campaigns, self.shown[begin:end], strict=True))
        return DeviceCell(
            impressions=impressions,
            clicks=clicks,
            authentications=authentications,
            events=events,
            place=self.places[place],
            campaign=self.campaigns[campaign],
            others=others,
            shown_ms=shown - 1,
            shown_campaign=self.campaigns[last],
            pace=self._pace(at),
            told=clicks + authentications,
        )

    def _pace(self, at: int) -> Pace | None:
        found = bisect_left(self.paced, at)
        if found == len(self.paced) or self.paced[found] != at:
            return None
        return Pace(*[told[found] for told in self.paces])

    def at(self, account: str, device: str) -> Sequence[int]:
        """Which row is the device's."""
        table = self.table
        return table.places(device, table.digester.group(account, ""))

    def rows(self) -> Rows:
        """All of it."""
        counts = np.stack([np.array(counts, np.int64) for counts in self.columns], axis=1)
        ends = np.zeros(len(self), np.int64) if self.ends is None else np.array(self.ends, np.int64)
        names, shown = np.array(self.names, np.int64), np.array(self.shown, np.int64)
        paces = np.zeros((len(self), _OF_PACES), np.int64)
        paces[np.array(self.paced, np.int64)] = np.stack([np.array(told, np.int64) for told in self.paces], axis=1)
        return Rows(self.table.digests(), counts, np.diff(ends, prepend=0), names, shown, paces)


class Names:
    """Places and campaigns by number, the numbers given as they come up."""

    def __init__(self, places: list[Place | None], campaigns: list[str | None]) -> None:
        self.places, self.campaigns = places, campaigns
        self._place_numbers = {place: number for number, place in enumerate(places)}
        self._campaign_numbers = {campaign: number for number, campaign in enumerate(campaigns)}

    def rows(self, digests: Digests, cells: Sequence[DeviceCell]) -> Rows:
        """The cells as rows."""
        counts = (
            [cell.impressions for cell in cells],
            [cell.clicks for cell in cells],
            [cell.authentications for cell in cells],
            [cell.events for cell in cells],
            [self._number(cell.place, self._place_numbers, self.places) for cell in cells],
            [self._number(cell.campaign, self._campaign_numbers, self.campaigns) for cell in cells],
            [cell.shown_ms + 1 for cell in cells],
            [self._number(cell.shown_campaign, self._campaign_numbers, self.campaigns) for cell in cells],
        )
        others = [len(cell.others) if cell.others else 0 for cell in cells]
        shown = [item for cell in cells if cell.others for item in cell.others.items()]
        names = [self._number(campaign, self._campaign_numbers, self.campaigns) for campaign, _ in shown]
        paces = [_NO_PACE if cell.pace is None else msgspec.structs.astuple(cell.pace) for cell in cells]
        return Rows(
            digests,
            np.array(counts, np.int64).T,
            np.array(others, np.int64),
            np.array(names, np.int64),
            np.array([times for _, times in shown], np.int64),
            np.array(paces, np.int64).reshape(-1, _OF_PACES),
        )

    @staticmethod
    def _number(name: Name, numbers: dict[Name, int], names: list[Name]) -> int:
        number = numbers.get(name)
        if number is None:
            number = numbers[name] = len(names)
            names.append(name)
        return number
