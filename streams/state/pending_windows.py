"""Windows of a snapshot that nobody has asked for yet: what they hold stays as the bytes it came as.

Most of what a long lateness has held is old, and hardly any event comes for it any more: to make objects of all of it
would be most of a restart. A window is put back when it is looked into, whoever does so, or else a piece at a time
while there is time. So nobody but the store can tell; only when it is done differs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sori.errors import SnapshotRefused
from streams.state.device_panes import AccountPane, AccountWindow, Pane, PaneStore, Window

#: Puts a piece of a window into the store. Raises SnapshotRefused.
Piece = Callable[[], None]


class PendingWindow(Window):
    """A window that is put back once its accounts are looked at; a `Window` from then on."""

    __slots__ = ()

    @property
    def accounts(self) -> dict[str, AccountWindow]:
        """Raises SnapshotRefused where what is stored of it is of no use."""
        if self.pending is not None:
            self.pending.put_back(self)
        return self.accounts

    @accounts.setter
    def accounts(self, _: dict[str, AccountWindow]) -> None:
        raise AttributeError("it is put back, and not set")


class PendingPane(Pane):
    """A pane of such a window."""

    __slots__ = ()

    @property
    def accounts(self) -> dict[str, AccountPane]:
        """As of its window."""
        if self.window.pending is not None:
            self.window.pending.put_back(self.window)
        return self.accounts

    @accounts.setter
    def accounts(self, _: dict[str, AccountPane]) -> None:
        raise AttributeError("it is put back, and not set")


class PendingWindows:
    """By start, each with its pieces in the order in which they are to be put back. `refused`: one was of no use."""

    def __init__(self, store: PaneStore) -> None:
        self._store = store
        self._pieces: dict[int, deque[Piece]] = {}
        self.refused: SnapshotRefused | None = None

    def __len__(self) -> int:
        return len(self._pieces)

    def __contains__(self, start_ms: int) -> bool:
        return start_ms in self._pieces

    def hold(self, window: Window, piece: Piece) -> None:
        """Put a piece back later, after those that are held of this window; all of it has come so, or nothing."""
        if window.start_ms not in self._pieces:
            self._pieces[window.start_ms] = deque()
            for start in range(window.start_ms, window.start_ms + self._store.window_ms, self._store.pane_ms):
                self._store.at(start, window.first_offset)
            window.pending = self._store.pending = self
        self._pieces[window.start_ms].append(piece)
        self._close(window)

    def put_back(self, window: Window) -> None:
        """All of a window. Raises SnapshotRefused, and again whenever it is looked into."""
        while window.start_ms in self._pieces:
            self._put_one(window)

    def put_back_between(self, first_ms: int, last_ms: int) -> None:
        """All windows that touch this time. Raises as `put_back`."""
        window_ms = self._store.window_ms
        for start_ms in range(first_ms - first_ms % window_ms, last_ms + 1, window_ms):
            if start_ms in self._pieces:
                self.put_back(self._store.windows[start_ms])

    def put_next(self) -> bool:
        """One piece of the newest window, which is the likeliest to be asked for; whether its window is whole now.

        Raises SnapshotRefused, and KeyError where there is none.
        """
        start_ms = max(self._pieces)
        self._put_one(self._store.windows[start_ms])
        return start_ms not in self._pieces

    def drop(self, window: Window) -> None:
        """It is evicted: what is left of it is of no use."""
        if self._pieces.pop(window.start_ms, None) is not None:
            self._open(window)
            self._done(window)

    def _put_one(self, window: Window) -> None:
        pieces = self._pieces[window.start_ms]
        self._open(window)
        try:
            pieces[0]()
        except Exception as error:
            # closed: what is there of it so far must not be taken for all of it
            self._close(window)
            self.refused = error if isinstance(error, SnapshotRefused) else SnapshotRefused(repr(error))
            raise self.refused from error
        pieces.popleft()
        if pieces:
            self._close(window)
        else:
            del self._pieces[window.start_ms]
            self._done(window)

    def _done(self, window: Window) -> None:
        window.pending = None
        if not self._pieces:
            self._store.pending = None

    def _open(self, window: Window) -> None:
        for one, plain in ((window, Window), *((pane, Pane) for pane in self._store.panes_of(window))):
            one.__class__ = plain
        window.touched = True

    def _close(self, window: Window) -> None:
        for pane in self._store.panes_of(window):
            pane.__class__ = PendingPane
        window.__class__ = PendingWindow
        window.touched = False  # there is nothing to be packed yet
