"""Resident memory of each process over time, and whether it grows."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.ingest.cpu import rss_mb, used_s
from runtime.process.supervisor import Supervisor

#: A process is flat when the line through the judged part rises by less than one of these from end to end.
_FLAT_SHARE, _FLAT_MB = 0.05, 10.0
#: The judged part is at least this share of the run, at most half of it.
_LEAST_SHARE = 0.3
Sample = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Trend:
    """The line through the judged samples, the last ones: megabytes, and megabytes per hour."""

    first_mb: float
    last_mb: float
    max_mb: float
    slope_mb_h: float
    rise_mb: float
    flat: bool


def trend(samples: Sequence[Sample], settle_s: float = 0.0) -> Trend:
    """Fit (seconds, megabytes) by least squares over the second half, later where state fills for `settle_s` by design.

    Fewer than four samples to judge are no trend, and flat.
    """
    if not samples:
        return Trend(0.0, 0.0, 0.0, 0.0, 0.0, flat=True)
    begun, ended = samples[0][0], samples[-1][0]
    after = begun + max((ended - begun) / 2, min(settle_s, (1 - _LEAST_SHARE) * (ended - begun)))
    judged = [sample for sample in samples if sample[0] >= after]
    slope = rise = 0.0
    if len(judged) >= 4:
        slope = statistics.linear_regression([at for at, _ in judged], [mb for _, mb in judged]).slope
        rise = slope * (judged[-1][0] - judged[0][0])
    mean = statistics.fmean(mb for _, mb in judged)
    flat = rise < max(_FLAT_SHARE * mean, _FLAT_MB)
    most = max(mb for _, mb in samples)
    return Trend(samples[0][1], samples[-1][1], most, slope * 3600, rise, flat)


@dataclass(slots=True)
class Watched:
    """What was measured of the children of one supervisor."""

    supervisor: Supervisor
    every_s: float = 5.0
    settle_s: float = 0.0
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    _cpu_before: dict[int, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Sample until cancelled."""
        begun = time.monotonic()
        while True:
            self._look(time.monotonic() - begun)
            await asyncio.sleep(self.every_s)

    def _look(self, at: float) -> None:
        for name, child in self.supervisor.children.items():
            pid = child.runnable.pid
            if pid is None:
                continue
            try:
                memory, used = rss_mb(pid), used_s(pid)
            except OSError:
                continue  # it ended between two looks; its restart is counted by the supervisor
            self.samples.setdefault(name, []).append((at, memory))
            before = self._cpu_before.get(pid, used)
            self._cpu_before[pid] = used
            self.cpu_s[name] = self.cpu_s.get(name, 0.0) + used - before

    @property
    def restarts(self) -> Mapping[str, int]:
        """Processes that ended by themselves, with how often."""
        return {name: child.restarts for name, child in self.supervisor.children.items() if child.restarts}

    def trends(self) -> dict[str, Trend]:
        """The trend of each process."""
        return {name: trend(samples, self.settle_s) for name, samples in self.samples.items()}
