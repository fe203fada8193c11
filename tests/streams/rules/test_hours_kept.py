"""What is kept of a device's windows says what adding all of them up says, whatever comes when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.rules import device_hour
from streams.rules.place_view import PlaceView
from streams.state.device_habits import Habits
from streams.state.device_panes import ToldDevice
from streams.state.place_panes import RollUp, RollUpPane, Series
from testkit.examples import examples

KEY, WINDOW_MS, SPANS_MS = ToldDevice("acc", "dev"), 60_000, (120_000, 300_000)
counts = st.integers(0, 9)
rows = st.tuples(st.integers(0, 7), st.lists(counts, min_size=9, max_size=9), st.integers(0, 1), st.booleans())


@examples(150)
@given(st.lists(rows, max_size=25))
def test_sums_that_are_kept_equal_sums_made_anew(told):
    """Windows are told in any order, again and again, by two sources; the last of them is asked about now and then."""
    series: Series = {}
    panes: dict[int, RollUpPane] = {}
    for version, (number, numbers, source, asked) in enumerate(told):
        start_ms = number * WINDOW_MS
        pane = panes.setdefault(start_ms, RollUpPane(start_ms, 0))
        shown, clicks, *habits = numbers
        device = Habits(*habits)
        row = RollUp(start_ms // 1000, "acc", source, version, shown, clicks, device_id="dev", device=device)
        pane.sums(series, KEY).merge(row)
        series[KEY].changed(start_ms)
        end_ms = max(panes) + WINDOW_MS
        for span_ms in SPANS_MS if asked else ():
            kept = PlaceView(end_ms, 10_000, series[KEY], WINDOW_MS, panes=panes, account="acc")
            anew = PlaceView(end_ms, 10_000, dict(series[KEY]), WINDOW_MS, panes=panes, account="acc")
            assert device_hour._hour(kept, span_ms) == device_hour._hour(anew, span_ms)


def test_a_window_is_added_up_once_while_only_the_present_one_grows(monkeypatch):
    """A device is told of at each flush in which it clicks: dozens of times a window."""
    added, inner = [], device_hour.sums_of
    monkeypatch.setattr(device_hour, "sums_of", lambda window: added.append(len(window)) or inner(window))
    series: Series = {}
    for version in range(200):
        start_ms = min(version, 50) * WINDOW_MS
        row = RollUp(start_ms // 1000, "acc", 0, version, device_id="dev", device=Habits(*[1] * 7))
        RollUpPane(start_ms, 0).sums(series, KEY).merge(row)
        series[KEY].changed(start_ms)
        if version >= 50:
            view = PlaceView(start_ms + WINDOW_MS, 10_000, series[KEY], WINDOW_MS)
            assert device_hour._hour(view, 51 * WINDOW_MS).taps == 51
    assert sum(added) == 50 + 150
