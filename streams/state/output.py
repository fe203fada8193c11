"""What a flush wants written to Kafka: packed rows, and single records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sori.topics import CTR_WINDOWS, DEVICE_WINDOWS, GEO_ROLLUPS, LATE, Topic
from streams.state.policy import NO_CAP

#: Packs stay under the 1 MB that brokers and consumers take by default.
MAX_PACK_BYTES = 700_000


@dataclass(frozen=True, slots=True)
class Output:
    """One record to produce. `rows` counts the NDJSON rows in `value`; `lane` modulo the partitions picks one.

    `everywhere`: every partition gets it.
    """

    topic: Topic
    value: bytes
    rows: int = 1
    lane: int | None = None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = field(default=())
    everywhere: bool = False

    def partitions(self, count: int) -> Sequence[int]:
        """Which partitions of `count` it goes to; none: one that its key picks."""
        if self.everywhere:
            return range(count)
        return () if self.lane is None else (self.lane % count,)


def pack_lines(topic: Topic, lines: Sequence[bytes], lane: int | None, most: int = NO_CAP) -> list[Output]:
    """Pack rows already serialised, one JSON object each, into as few records as their size allows; `most` to each.

    Without a lane every partition gets them.
    """
    packed: list[Output] = []
    begin = size = 0
    for end, line in enumerate(lines):
        if size and (size + len(line) > MAX_PACK_BYTES or end - begin >= most):
            packed.append(_pack(topic, lines[begin:end], lane))
            begin, size = end, 0
        size += len(line) + 1
    if begin < len(lines):
        packed.append(_pack(topic, lines[begin:], lane))
    return packed


def pack(topic: Topic, rows: bytes, lane: int) -> list[Output]:
    """Likewise of lines that are one piece already, each ended by a newline."""
    packed: list[Output] = []
    begin, stop = 0, len(rows)
    while begin < stop:
        end = stop - 1
        if end - begin > MAX_PACK_BYTES:
            end = rows.rfind(b"\n", begin, begin + MAX_PACK_BYTES + 1)
            if end < 0:
                end = rows.index(b"\n", begin)
        value = rows[begin:end]
        packed.append(Output(topic, value, value.count(b"\n") + 1, lane))
        begin = end + 1
    return packed


#: Rows whose versions or offsets may outlive the log that they were counted in.
_VERSIONED = (CTR_WINDOWS, DEVICE_WINDOWS, GEO_ROLLUPS, LATE)


def name_log(outputs: Sequence[Output], log: int) -> list[Output]:
    """Have each row say in which log its offsets count; 0: unknown, so they say nothing."""
    # a line break within JSON is always escaped, so it only ever ends a row
    head = b'{"log":%d,' % log
    return [
        replace(output, value=head + output.value[1:].replace(b"\n{", b"\n" + head))
        if log and output.topic in _VERSIONED
        else output
        for output in outputs
    ]


def _pack(topic: Topic, lines: Sequence[bytes], lane: int | None) -> Output:
    return Output(topic, b"\n".join(lines), len(lines), lane, everywhere=lane is None)
