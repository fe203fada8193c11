"""Columns go to ClickHouse in its own format, and come back the same."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.ctypes import data_conv
from hypothesis import given
from hypothesis import strategies as st

from runtime.clickhouse.client import open_client
from sinks.builders import events, packed
from sinks.builders.inserts import ColumnarInsert
from sinks.insert import native
from sinks.insert.native import append_strings_plainly, encode_block
from sinks.insert.writer import Writer
from testkit.records import FakeRecord, event_record

COLUMNS = {
    "s": ("String", [b"", b"\x00\xff", b"x" * 127, b"y" * 128, b"z" * 70_000]),
    "t": ("String", ["", "\u00e9", "a", "b", "c"]),
    "u8": ("UInt8", [0, 1, True, False, 255]),
    "i32": ("Int32", [-(2**31), -1, 0, 1, 2**31 - 1]),
    "u64": ("UInt64", [0, 1, 2, 3, 2**64 - 1]),
    "i64": ("Int64", [-(2**63), -1, 0, 1, 2**63 - 1]),
    "at": ("DateTime('UTC')", [0, 1, 2, 3, 1_760_419_500]),
}


def test_every_type_and_length_comes_back(client: Client, dsn: str) -> None:
    """Empty, binary and long strings, the ends of each number's range; over either way to the engine."""
    client.command(
        "CREATE TABLE round_trip (" + ", ".join(f"{n} {t}" for n, (t, _) in COLUMNS.items()) + ") ENGINE = Memory"
    )
    types, columns = zip(*COLUMNS.values(), strict=True)
    writer = Writer(lambda: open_client(dsn))
    writer.insert(ColumnarInsert("round_trip", list(COLUMNS), types, columns), None)
    writer.close()
    found = client.query(
        "SELECT hex(s), t, u8, i32, u64, i64, toUnixTimestamp(at) FROM round_trip ORDER BY at"
    ).result_rows
    client.command("DROP TABLE round_trip")
    wanted = zip([value.hex().upper() for value in columns[0]], *columns[1:], strict=True)
    assert [tuple(row) for row in found] == [tuple(row) for row in wanted]


@pytest.mark.parametrize("method", ["0", "lz4", "zstd", "gzip"])
def test_a_server_s_dsn_says_how_inserts_are_compressed(client: Client, dsn: str, method: str) -> None:
    """On the same machine not at all, unless asked for; whatever the way, the same rows arrive."""
    if dsn.startswith("chdb"):
        pytest.skip("nothing is sent to an embedded engine")
    with open_client(f"{dsn}?compress={method}") as asked, open_client(dsn) as plain:
        assert (asked.write_compression or "0", plain.write_compression) == (method, None)
        writer = Writer(lambda: asked)
        writer.insert(events.build([event_record(n) for n in range(1000)]), "columns")
        writer.insert(packed.builder("late_in")([FakeRecord(b'{"account_id":"a","kafka_offset":7}' * 3)]), "lines")
    assert client.command("SELECT count() FROM events_current") == 1000
    assert client.command("SELECT count() FROM late_events") == 1


@pytest.mark.parametrize(
    ("type_name", "value", "error"),
    [("String", 1, TypeError), ("String", None, TypeError), ("Int32", 2**31, OverflowError), ("Int64", "x", TypeError)],
)
def test_a_value_of_another_type_is_refused(type_name: str, value: object, error: type[Exception]) -> None:
    """The kinds of error that a sink takes for bad rows."""
    with pytest.raises(error):
        encode_block(["a"], [type_name], [[value]])


def test_columns_of_unequal_length_are_refused() -> None:
    """A block would be read as nonsense."""
    with pytest.raises(ValueError, match="unequal"):
        encode_block(["a", "b"], ["UInt8", "UInt8"], [[1], [1, 2]])


def test_the_driver_s_writer_is_the_compiled_one() -> None:
    """The pure one works as well, at a tenth of the speed: an installation without it is worth knowing of."""
    assert data_conv.__name__.startswith("clickhouse_connect.driverc")


@given(st.lists(st.binary(max_size=300), max_size=50))
def test_without_the_compiled_writer_the_bytes_are_the_same(values: list[bytes]) -> None:
    """The plain way, which is taken where the driver's own is gone."""
    compiled, plain = bytearray(b"before"), bytearray(b"before")
    native._append_strings(compiled, values)
    append_strings_plainly(plain, values)
    assert plain == compiled


def test_a_block_is_the_same_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is no text is refused alike."""
    types, columns = zip(*COLUMNS.values(), strict=True)
    block = native.encode_block(list(COLUMNS), types, columns)
    monkeypatch.setattr(native, "data_conv", None)
    assert native.encode_block(list(COLUMNS), types, columns) == block
    with pytest.raises(TypeError, match="String"):
        native.encode_block(["s"], ["String"], [[1]])
