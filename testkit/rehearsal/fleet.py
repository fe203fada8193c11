"""Starts containers in the order that they ask for, keeps an eye on their health, and stops them as an engine does."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from testkit.paths import ROOT
from testkit.rehearsal import isolation
from testkit.rehearsal.container import Container
from testkit.rehearsal.image import Image

_HEALTHY_WITHIN_S = 180.0


class RehearsalFailed(Exception):
    """A container did not do what the deployment file promises."""


@dataclass(slots=True)
class Fleet:
    """All containers of one rehearsal. `notes` says what each did, in the order in which it happened."""

    image: Image
    folder: Path
    notes: list[str] = field(default_factory=list)
    _running: dict[str, tuple[Container, subprocess.Popen[bytes]]] = field(default_factory=dict)

    async def start(self, containers: Sequence[Container], there: Sequence[str]) -> None:
        """Start all, each once what it waits for is healthy or done; `there` are what runs already."""
        done = set(there)
        waiting = list(containers)
        while waiting:
            ready = [container for container in waiting if set(container.waits_for) <= done]
            if not ready:
                raise RehearsalFailed(f"these wait for each other: {', '.join(c.name for c in waiting)}")
            await asyncio.gather(*(self.run(c) if c.one_shot else self._bring_up(c) for c in ready))
            done |= {container.name for container in ready}
            waiting = [container for container in waiting if container not in ready]

    async def run(self, container: Container) -> str:
        """Run a one-shot container to its end; what it printed. Raises RehearsalFailed when it ends with an error."""
        began = time.monotonic()
        process = self._launch(container)
        code = await asyncio.to_thread(process.wait)
        if code != 0:
            raise RehearsalFailed(f"{container.name} ended with {code}: {self.log(container.name)[-3000:]}")
        self.notes.append(f"{container.name}: done after {time.monotonic() - began:.1f} s")
        return self.log(container.name)

    async def stop(self) -> None:
        """SIGTERM to all, and SIGKILL after the grace period, which is a failure."""
        await asyncio.gather(*(self._end(container, engine) for container, engine in self._running.values()))
        self._running.clear()

    def kill(self) -> None:
        """End whatever still runs."""
        for _, engine in self._running.values():
            engine.kill()
            engine.wait()

    def log(self, name: str) -> str:
        """What the container printed."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    async def check_walls(self) -> None:
        """No container sees this checkout, holds a capability, or can write where it is told not to."""
        for container, engine in self._running.values():
            pid = isolation.first_process(engine)
            if pid is None:
                raise RehearsalFailed(f"{container.name} ended: {self.log(container.name)[-3000:]}")
            checks = [
                f"test ! -e {ROOT}",
                f"test ! -e {Path.home()}/.cache",
                "grep -q '^CapEff:.0*$' /proc/self/status",
            ]
            checks += ["! touch /opt/x 2>&1", "! touch /etc/x 2>&1"] if container.read_only else []
            script = ("sh", "-ec", "; ".join(f"{check} || exit 1" for check in checks))
            result = await asyncio.to_thread(isolation.execute, container, pid, script)
            if result.returncode != 0:
                raise RehearsalFailed(f"{container.name} is not closed: {result.stdout} {result.stderr}")

    def _launch(self, container: Container) -> subprocess.Popen[bytes]:
        log = self.folder / f"{container.name}.log"
        log.unlink(missing_ok=True)
        return isolation.start(container, self.image, self.folder / "roots" / container.name, log)

    async def _bring_up(self, container: Container) -> None:
        began = time.monotonic()
        engine = self._launch(container)
        self._running[container.name] = (container, engine)
        while True:
            if engine.poll() is not None:
                raise RehearsalFailed(
                    f"{container.name} ended with {engine.returncode}: {self.log(container.name)[-3000:]}"
                )
            pid = isolation.first_process(engine)
            if pid is not None and await self._healthy(container, pid):
                break
            if time.monotonic() - began > _HEALTHY_WITHIN_S:
                raise RehearsalFailed(f"{container.name} is not healthy: {self.log(container.name)[-3000:]}")
            await asyncio.sleep(0.3)
        self.notes.append(f"{container.name}: healthy after {time.monotonic() - began:.1f} s")

    async def _healthy(self, container: Container, pid: int) -> bool:
        result = await asyncio.to_thread(isolation.execute, container, pid, container.health or ("true",))
        return result.returncode == 0

    async def _end(self, container: Container, engine: subprocess.Popen[bytes]) -> None:
        pid = isolation.first_process(engine)
        if pid is None:
            raise RehearsalFailed(f"{container.name} ended by itself: {self.log(container.name)[-3000:]}")
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        try:
            code = await asyncio.to_thread(engine.wait, container.stop_grace_s)
        except subprocess.TimeoutExpired:
            raise RehearsalFailed(f"{container.name} outlives its grace of {container.stop_grace_s:g} s") from None
        if code != 0:
            raise RehearsalFailed(f"{container.name} ended with {code}: {self.log(container.name)[-3000:]}")
        self.notes.append(f"{container.name}: drained and ended after {time.monotonic() - began:.1f} s")
