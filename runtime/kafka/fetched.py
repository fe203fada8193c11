"""What one fetch brought of one partition, as Kafka's own record batches: records are made while they are applied.

aiokafka makes two objects of each record, and all of them before the first is looked at; that cost as much as decoding
the event. Here its C parser yields each record straight to who uses it: an operator, or a sink's encoder.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, dropwhile
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException

from sori.records import FetchedRecord

#: Of so many records at most, and one of Kafka's batches at least, are what is handed on at once: compressed bytes say
#: nothing of how long they take.
MAX_RECORDS = 5_000


class FetchedRecords:
    """Records of whole batches, from `first_offset` to `last_offset`. They can be read once."""

    __slots__ = ("_batches", "first_offset", "last_offset")

    def __init__(self, batches: list[Any], fetch_offset: int) -> None:
        self._batches = batches
        self.first_offset: int = max(fetch_offset, batches[0].base_offset)
        self.last_offset: int = batches[-1].next_offset - 1

    def __iter__(self) -> Iterator[FetchedRecord]:
        batches: list[Iterable[FetchedRecord]] = list(self._batches)
        wanted = self.first_offset
        if self._batches[0].base_offset < wanted:  # Kafka sends a batch from its beginning
            batches[0] = dropwhile(lambda record: record.offset < wanted, batches[0])
        return chain.from_iterable(batches)


class RawPartition:
    """Stands in for aiokafka's PartitionRecords: yields a fetch as a few FetchedRecords, checksums verified.

    As with aiokafka's, whoever stops between two of them goes on with the next, which begins at `next_fetch_offset`.
    """

    def __init__(self, tp: Any, records: Any, fetch_offset: int, *, check_crcs: bool) -> None:
        self._tp = tp
        self._records = records
        self._check_crcs = check_crcs
        self._fetch_offset = self.next_fetch_offset = fetch_offset
        self._pieces = self._cut()

    def __iter__(self) -> Iterator[FetchedRecords]:
        return self

    def __next__(self) -> FetchedRecords:
        return next(self._pieces)

    def _cut(self) -> Iterator[FetchedRecords]:
        batches: list[Any] = []
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if batches and batch.next_offset - batches[0].base_offset > MAX_RECORDS:
                yield FetchedRecords(batches, self._fetch_offset)
                batches = []
            if not batch.is_control_batch:
                batches.append(batch)
            self.next_fetch_offset = batch.next_offset
        if batches:
            yield FetchedRecords(batches, self._fetch_offset)


class RawResults(OrderedDict[Any, Any]):
    """The fetcher's results by partition, each changed to a raw one as it comes in."""

    def __init__(self, results: Mapping[Any, Any]) -> None:
        super().__init__()
        self.update(results)

    def __setitem__(self, tp: Any, result: Any) -> None:
        # aiokafka has no other way in than its private names; what is not as expected here stays as it is
        if type(result) is FetchResult:
            found: Any = result._partition_records  # noqa: SLF001
            if type(found) is PartitionRecords and found._isolation_level == READ_UNCOMMITTED:  # noqa: SLF001
                crcs, offset = found._check_crcs, found.next_fetch_offset  # noqa: SLF001
                result._partition_records = RawPartition(tp, found._records, offset, check_crcs=crcs)  # noqa: SLF001
        super().__setitem__(tp, result)


def fetch_raw(consumer: AIOKafkaConsumer) -> None:
    """What this started consumer fetches from now on comes as FetchedRecords."""
    fetcher = consumer._fetcher  # noqa: SLF001 - aiokafka has no other way in
    if type(fetcher._records) is not RawResults:  # noqa: SLF001
        fetcher._records = RawResults(fetcher._records)  # noqa: SLF001
