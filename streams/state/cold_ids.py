"""Identities of a window that has cooled down, of all accounts: digests in one table, with when each event happened.

14.5 bytes each, where a dictionary of strings holds 130 to 150.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streams.state.digests import DIGESTER, DigestTable, column

#: Event times are kept in units of this: in a pane integers up to 256 are shared by the interpreter.
SEEN_UNIT_MS = 40


class IdsOf(NamedTuple):
    """Identities of one kind of event of an account, and when they happened: units since `begin`, itself in units."""

    account: str
    event: str
    begin: int
    ids: dict[str, int]


class ColdIds:
    """Which identities were seen, and when: units of SEEN_UNIT_MS since their window began."""

    __slots__ = ("table", "units")

    def __init__(self, table: DigestTable, units: array[int]) -> None:
        self.table = table
        self.units = units

    @classmethod
    def of(cls, parts: Sequence[IdsOf], known: ColdIds | None) -> ColdIds:
        """Those of the parts, and those known already."""
        digester = DIGESTER if known is None else known.table.digester
        groups = [(digester.group(part.account, part.event), len(part.ids)) for part in parts]
        digests = digester.of_all([identity for part in parts for identity in part.ids], groups)
        units = [np.fromiter(part.ids.values(), np.int64, len(part.ids)) + part.begin for part in parts]
        times = np.concatenate(units) if units else np.zeros(0, np.int64)
        if known is not None:
            digests = np.concatenate([known.table.digests(), digests])
            times = np.concatenate([np.array(known.units, np.int64), times])
        order = DigestTable.order_of(digests)
        return cls(DigestTable(digester, digests[order]), column(times[order]))

    def __len__(self) -> int:
        return len(self.table)

    def times(self, account: str, event: str, identity: str) -> Sequence[int]:
        """When an event with this identity happened; several times if its panes are several."""
        table = self.table
        found = table.places(identity, table.digester.group(account, event))
        return [self.units[at] for at in found] if found else ()
