"""What a window holds of identities and devices, whether it is packed or not: packed, to compare it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from streams.state.cold_devices import CellsOf, ColdDevices
from streams.state.cold_ids import SEEN_UNIT_MS, ColdIds, IdsOf
from streams.state.counters import SubjectCell
from streams.state.device_panes import PaneStore, Window

Key = TypeVar("Key")


def packed(store: PaneStore, window: Window) -> tuple[Any, ...]:
    """Identities with their times; devices with their cells; and what no row holds: sightings, and what is owed."""
    loose = [
        IdsOf(account, event, (pane.start_ms - window.start_ms) // SEEN_UNIT_MS, ids)
        for pane in store.panes_of(window)
        for account, held in pane.accounts.items()
        for event, ids in held.seen.items()
    ]
    seen = ColdIds.of(loose, window.cold_ids)
    cells = [
        CellsOf(account, list(held.devices), list(held.devices.values())) for account, held in window.accounts.items()
    ]
    devices = ColdDevices.of(cells, window.cold_devices)
    return (
        sorted(zip(map(bytes, seen.table.digests()), seen.units, strict=True)),
        {bytes(digest): devices.cell(at) for at, digest in enumerate(devices.table.digests())},
        {
            (account, device): cell.sightings
            for account, device, cell in each_cell(window)
            if cell.sightings is not None
        },
        {(account, device) for account, device, cell in each_cell(window) if cell.dirty},
    )


def each_cell(window: Window) -> list[tuple[str, str, Any]]:
    """Cells that are not packed, or were changed since."""
    return [(account, name, cell) for account, held in window.accounts.items() for name, cell in held.devices.items()]


def unpacked(cells: Mapping[Key, SubjectCell]) -> dict[Key, SubjectCell]:
    """Copies of places' or campaigns' cells, none of them packed."""
    copies = {key: msgspec.structs.replace(cell) for key, cell in cells.items()}
    for copy in copies.values():
        copy.unpack()
    return copies
