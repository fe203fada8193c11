"""Stream workers as real processes, and what can befall them."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sori.settings.kafka import KafkaSettings
from testkit.stage_process import StageProcess
from testkit.wait import wait_until

SESSION_TIMEOUT_S = 2.0
#: Times so short that a run of a minute sees windows evicted and episodes closed.
ENV = {
    "SORI_STREAMS__ADMIN_PORT": "0",
    "SORI_STREAMS__LATENESS_S": "200",
    "SORI_STREAMS__SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
    "SORI_STREAMS__FLUSH_INTERVAL_S": "0.5",
    "SORI_STREAMS__SNAPSHOT_INTERVAL_S": "2",
    "SORI_RULES__EPISODES__COOLDOWN_S": "10",
    "SORI_RULES__CLICK_WITHOUT_IMPRESSION__WINDOW_S": "20",
    "SORI_RULES__CLICK_WITHOUT_IMPRESSION__HORIZON_S": "20",
    "SORI_RULES__DEVICE_AUTH_BURST__BASELINE_WINDOWS": "1",
    "SORI_RULES__DEVICE_EVENT_BURST__BASELINE_WINDOWS": "1",
    "SORI_RULES__DEVICE_CLICK_BURST__WINDOW_S": "20",
    "SORI_RULES__DEVICE_CLICK_BURST__BASELINE_S": "20",
    "SORI_RULES__GEO_HOP__WINDOWS": "2",
    "SORI_RULES__DEVICE_CTR__WINDOWS": "1",
    "SORI_RULES__DEVICE_IMPRESSIONS__WINDOWS": "1",
}
#: Weights of faults in a random run.
FAULTS = {"kill -9": 4, "zombie": 3, "leave": 2, "join": 3, "short stop": 1}


#: Longest wait for one that waits to be ready, and to have taken over.
_HANDOVER_S = 90.0


def _logged(worker: StageProcess, event: str) -> bool:
    return f'"event":"{event}"' in worker.log_text()


@dataclass
class Fleet:
    """Up to `size` workers; each fault is counted by its name."""

    kafka: KafkaSettings
    group: str
    folder: Path
    size: int
    rng: Random
    snapshots: bool = True
    done: Counter[str] = field(default_factory=Counter)
    _handovers: int = 0
    _gone: list[StageProcess] = field(default_factory=list)
    _logged: dict[int, int] = field(default_factory=dict)  # length of a worker's log when it was last started

    def __post_init__(self) -> None:
        # the first is a static member: it comes back without a rebalance where it is quick enough
        self.workers = [self._worker(f"worker{number}", static=number == 0) for number in range(self.size)]

    def _worker(self, name: str, *, static: bool, standby: bool = False) -> StageProcess:
        env = {**ENV, "SORI_STREAMS__GROUP": self.group, "SORI_STREAMS__SNAPSHOTS": str(self.snapshots).lower()}
        env |= {"SORI_STREAMS__INSTANCE_ID": "static"} if static else {}
        env |= {"SORI_STREAMS__STANDBY": "true"} if standby else {}
        return StageProcess("streams", self.kafka, self.folder / f"{name}.log", env)

    def start(self) -> None:
        """Start all."""
        for worker in self.workers:
            self._start(worker)

    def _start(self, worker: StageProcess) -> None:
        self._logged[id(worker)] = len(worker.log_text())
        worker.start()

    async def befall(self, fault: str | None = None) -> str:
        """One fault, the given one or one at random; returns its name when it is over."""
        up = [worker for worker in self.workers if worker.running]
        if fault is None:
            possible = {
                name: weight
                for name, weight in FAULTS.items()
                if (name != "join" or len(up) < self.size) and (name != "leave" or len(up) > 1)
            }
            fault = self.rng.choices(list(possible), list(possible.values()))[0]
        self.done[fault] += 1
        if fault == "join":
            self._start(next(worker for worker in self.workers if not worker.running))
            return fault
        if fault == "handover":
            await self._hand_over()
            return fault
        worker = self.rng.choice(up)
        if fault == "kill -9":
            await asyncio.to_thread(worker.kill)
            self._start(worker)
        elif fault == "leave":
            await asyncio.to_thread(worker.stop)
        else:
            worker.signal(signal.SIGSTOP)
            await asyncio.sleep(SESSION_TIMEOUT_S * (2.5 if fault == "zombie" else 0.4))
            worker.signal(signal.SIGCONT)
        return fault

    async def _hand_over(self) -> None:
        """The static member is replaced by one that waited beside it with its state."""
        last, self._handovers = self.workers[0], self._handovers + 1
        heir = self._worker(f"heir{self._handovers}", static=True, standby=True)
        self._start(heir)
        # where a fault before took the last one's place in the group, there is nobody to wait for
        await wait_until(lambda: _logged(heir, "standby_warm") or _logged(heir, "assigned"), _HANDOVER_S)
        await asyncio.to_thread(last.stop)
        self._gone.append(last)
        self.workers[0] = heir
        await wait_until(lambda: _logged(heir, "assigned"), _HANDOVER_S)

    def restart_dead(self) -> int:
        """Start workers that ended by themselves, as a supervisor does; returns how many."""
        dead = [worker for worker in self.workers if not worker.running]
        for worker in dead:
            self._start(worker)
        return len(dead)

    async def settled(self, limit_s: float = 30.0) -> None:
        """Wait until every worker is in the group, so that none is stopped while it starts."""
        ends = asyncio.get_running_loop().time() + limit_s
        while not all('"event":"assigned"' in worker.log_text()[self._logged[id(worker)] :] for worker in self.workers):
            if asyncio.get_running_loop().time() > ends:
                return
            await asyncio.sleep(0.2)

    def stop(self) -> list[int]:
        """Stop all; their exit codes."""
        return [worker.stop() for worker in self.workers]

    def logged(self, event: str) -> int:
        """How often they logged an event, all together."""
        of = [*self._gone, *self.workers]
        return sum(worker.log_text().count(f'"event":"{event}"') for worker in of)
