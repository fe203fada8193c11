"""A device's clicks by pane: what is held by device is what its panes hold, whatever comes, goes and is loaded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.operators.device import DeviceOperator
from streams.state.device_panes import PaneStore
from streams.state.digests import DIGESTER, DigestTable
from testkit.examples import examples
from tests.streams.test_exactness import POLICY, RULES, device_records, scripts


def in_panes(store: PaneStore) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """By looking at every pane: when it starts, and which object holds the clicks."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for start, pane in sorted(store.panes.items()):
        for account, scope in pane.accounts.items():
            for device, clicks in scope.clicks.items():
                found.setdefault((account, device), []).append((start, id(clicks)))
    return found


def check(store: PaneStore) -> None:
    """Both ways agree, and no device is held that clicked nowhere."""
    wanted = in_panes(store)
    assert {(account, device) for account, devices in store._clicked.items() for device in devices} == wanted.keys()
    for key, held in wanted.items():
        begins, over = held[0][0], held[-1][0] + 1
        for first, end in ((begins, over), (begins + 1, over), (begins, over - 1), (over - 1, over)):
            told = [(start, id(clicks)) for start, clicks in store.clicks_between(key, first, end)]
            assert told == [one for one in held if first <= one[0] < end]


@examples(60)
@given(script=scripts, every=st.integers(1, 50))
def test_a_devices_clicks_are_those_of_its_panes(script, every):
    """Also after panes were let go, and after a snapshot was loaded."""
    operator, parts = DeviceOperator(0, POLICY, RULES), list[bytes]()
    operator.keep_changes()
    checkpoint = operator.flush()[1]
    for number, record in enumerate(device_records(script)):
        operator.apply([record])
        if number % every == 0:
            checkpoint = operator.flush()[1]
            parts += [part.blob for part in operator.take_changes()]
            check(operator._store)
    checkpoint = operator.flush()[1]
    parts += [part.blob for part in operator.take_changes()]
    rest, loaded = operator.take_rest(), DeviceOperator(0, POLICY, RULES)
    assert not list(filter(None, loaded.load(rest, parts, checkpoint)))
    check(loaded._store)
    assert in_panes(loaded._store).keys() == in_panes(operator._store).keys()


@examples(100)
@given(
    texts=st.lists(st.text(max_size=70), min_size=1, max_size=40), others=st.lists(st.text(max_size=70), max_size=40)
)
def test_what_a_table_holds_it_may_hold(texts, others):
    """And of other texts it seldom says so."""
    group = DIGESTER.group("acc", "event")
    digests = DIGESTER.of_all(texts, [(group, len(texts))])
    table = DigestTable(DIGESTER, digests[DigestTable.order_of(digests)])
    for text in (*texts, *others):
        assert table.may_hold(DIGESTER.first_of(text, group)) or not table.places(text, group)
    assert all(table.places(text, group) for text in texts)
