"""What the corpus really holds, and whether a peer's output says the same, window by window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from bench.streams.corpus import Delivery
from runtime.kafka.clients import bounded, make_consumer, running
from sori.settings.kafka import KafkaSettings

Counts = dict[tuple[object, ...], tuple[int, ...]]

CTR = ("account_id", "campaign_id", "material_id", "platform", "country", "region", "city")
DEVICE = ("account_id", "device_id")
PLACE = ("account_id", "country", "region", "city")
_COUNTER = {"campaign.impression": 0, "campaign.click": 1, "authentication": 2}


@dataclass
class Truth:
    """Distinct events per window: seconds of the window's start, then its dimensions."""

    records: int = 0
    campaign_records: int = 0
    distinct: int = 0
    distinct_campaign: int = 0
    windows: dict[str, dict[tuple[object, ...], list[int]]] = field(
        default_factory=lambda: {"ctr": {}, "device": {}, "place": {}}
    )

    def add(self, one: Delivery) -> None:
        """Count one delivery."""
        fact = one.fact
        counter = _COUNTER[fact.event]
        self.records += 1
        self.campaign_records += counter < 2
        if one.repeated:
            return
        self.distinct += 1
        minute = fact.created_ms // 60_000 * 60
        self._count("device", (minute, fact.account, fact.device), counter)
        if counter < 2:
            self.distinct_campaign += 1
            key = (minute, fact.account, fact.campaign, fact.material, fact.platform, *fact.place)
            self._count("ctr", key, counter)
            self._count("place", (fact.created_ms // 10_000 * 10, fact.account, *fact.place), counter)

    def _count(self, kind: str, key: tuple[object, ...], counter: int) -> None:
        self.windows[kind].setdefault(key, [0, 0, 0])[counter] += 1


@dataclass(frozen=True)
class Published:
    """Where a peer publishes one kind of window. `start` is the field with the window's start, epoch seconds."""

    kind: str
    topic: str
    start: str = "window_start"

    @property
    def dims(self) -> Sequence[str]:
        """The fields that tell windows apart."""
        return {"ctr": CTR, "device": DEVICE, "place": PLACE}[self.kind]


async def differences(kafka: KafkaSettings, published: Published, truth: Truth) -> tuple[int, int]:
    """(windows that differ from the truth, windows there are)."""
    wanted = truth.windows[published.kind]
    found = await read_windows(kafka, published)
    both = wanted.keys() | found.keys()
    return sum(tuple(wanted.get(key, ())) != found.get(key, ()) for key in both), len(wanted)


async def read_windows(kafka: KafkaSettings, published: Published) -> Counts:
    """Fold a topic of cumulative upserts: the newest row of each source partition, summed over them."""
    newest: dict[tuple[object, ...], tuple[int, tuple[int, int, int]]] = {}
    async with running(make_consumer(kafka, published.topic, max_poll_records=5000), 10) as consumer:
        ends = await bounded(consumer.end_offsets(list(consumer.assignment())), 10, "end offsets")
        left = {part for part, end in ends.items() if end > 0}
        while left:
            batches = await bounded(consumer.getmany(*left, timeout_ms=1000), 30, "read")
            for part, records in batches.items():
                for record in records:
                    _fold(record.value, published, newest)
                if records[-1].offset + 1 >= ends[part]:
                    left.discard(part)
    totals: dict[tuple[object, ...], tuple[int, ...]] = {}
    for (_, *key), (_, counts) in newest.items():
        known = totals.get(tuple(key), (0, 0, 0))
        totals[tuple(key)] = tuple(a + b for a, b in zip(known, counts, strict=True))
    return totals


def _fold(
    value: bytes, published: Published, newest: dict[tuple[object, ...], tuple[int, tuple[int, int, int]]]
) -> None:
    for line in value.split(b"\n"):
        row: Mapping[str, object] = orjson.loads(line)
        if published.kind == "place" and "country" not in row:
            continue  # ours rolls campaigns up as well
        source, version = row.get("source_partition", 0), int(str(row["version"]))
        key = (source, row[published.start], *(row[name] for name in published.dims))
        known = newest.get(key)
        if known is None or known[0] <= version:
            counts = (row["impressions"], row["clicks"], row.get("authentications", 0))
            newest[key] = (version, counts)  # type: ignore[assignment] # JSON
