"""Reads the quarantine topic and replays from it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ingest.admission.admit import AdmissionPolicy, Refused
from ingest.admission.endpoints import load_endpoints
from ingest.admission.reading_policy import reading_policy
from ingest.admission.record import Record
from ingest.quarantine.held import Held, Stored, about, fold, marker, readmit
from ingest.storage.kafka_writer import KafkaLog
from runtime.kafka.clients import bounded, make_consumer, running
from sori.errors import StorageUnavailable
from sori.settings import Settings
from sori.settings.kept_secret import with_kept_secret
from sori.signature import SCHEMES
from sori.topics import EVENTS, QUARANTINE

_FETCH_MS = 1_000
_WRITE_TIMEOUT_S = 10.0
_BATCH = 500


@dataclass
class Replay:
    """What became of a replay."""

    landed: list[Held] = field(default_factory=list)
    refused: list[tuple[Held, Refused]] = field(default_factory=list)


async def read_held(
    settings: Settings, only: Collection[str] | None = None, within_s: float | None = None
) -> list[Held]:
    """What is in quarantine now, oldest first; with `only`, bodies of these ids alone are kept in memory.

    Raises StorageUnavailable, also when the topic is not read to its end within `within_s` seconds.
    """
    kafka, until = settings.kafka, math.inf if within_s is None else time.monotonic() + within_s
    topic, timeout_s = QUARANTINE.name(kafka.topic_prefix), kafka.request_timeout_s
    records: list[Stored] = []
    async with running(make_consumer(kafka, topic), timeout_s) as consumer:
        parts = list(consumer.assignment())
        ends = await bounded(consumer.end_offsets(parts), timeout_s, "end offsets")
        await bounded(consumer.seek_to_beginning(*parts), timeout_s, "seek")
        missing = {part for part in parts if ends[part]}
        while missing:
            if time.monotonic() > until:  # not cancelled from outside: the consumer is to say goodbye
                raise StorageUnavailable(f"the quarantine was not read within {within_s:g} s: replay from the terminal")
            for part, batch in (await consumer.getmany(*missing, timeout_ms=_FETCH_MS)).items():
                found = [Stored(r.partition, r.offset, r.timestamp, r.headers, r.value or b"") for r in batch]
                records += found if only is None else await asyncio.to_thread(about, found, only)
                if batch[-1].offset + 1 >= ends[part]:
                    missing.discard(part)
            for part in list(missing):  # also past what retention has deleted
                if await bounded(consumer.position(part), timeout_s, "position") >= ends[part]:
                    missing.discard(part)
    return fold(records)


async def replay(settings: Settings, held: Sequence[Held]) -> Replay:
    """Send what is acceptable now to the events topic (a row of ours to its own), and mark it so.

    At least once: a replay that fails half-way repeats events, which their identity makes one. Raises ConfigError and
    StorageUnavailable.
    """
    ours, prefix = with_kept_secret(settings).ingest, settings.kafka.topic_prefix
    events, quarantine = EVENTS.name(prefix), QUARANTINE.name(prefix)
    scheme, skew_ms = SCHEMES[ours.signature_scheme], int(ours.max_clock_skew_s * 1000)
    rules = AdmissionPolicy(
        load_endpoints(ours), scheme, events, skew_ms, ours.max_inflated_bytes, reading=reading_policy(ours)
    )
    result, now_ms = Replay(), int(time.time() * 1000)
    acceptable: list[tuple[Held, Record]] = []
    for one in held:
        verdict = readmit(rules, one, now_ms)
        if isinstance(verdict, Refused):
            result.refused.append((one, verdict))
        else:
            acceptable.append((one, verdict))
    wanted = {events, quarantine, *(record.topic for _, record in acceptable)}
    log = KafkaLog(settings.kafka, sorted(wanted))
    try:
        await log.connect()
        for start in range(0, len(acceptable), _BATCH):
            batch = acceptable[start : start + _BATCH]
            await log.write([record for _, record in batch], _WRITE_TIMEOUT_S)
            await log.write([marker(quarantine, one, now_ms) for one, _ in batch], _WRITE_TIMEOUT_S)
            result.landed += [one for one, _ in batch]
    finally:
        await log.close()
    return result
