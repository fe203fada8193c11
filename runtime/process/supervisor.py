"""Keeps child processes running: a child that ends is restarted with backoff, and the log says so."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Protocol

import structlog

from runtime.backoff import Backoff
from runtime.process import children
from sori.errors import SoriError

#: A child that ran this long was healthy: its next failure starts the backoff anew.
HEALTHY_AFTER_S = 30.0

_log = structlog.get_logger(__name__)


class Runnable(Protocol):
    """What can be supervised: an embedded broker, or a process."""

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""

    async def start(self) -> None:
        """Start it; a SoriError counts as a failed attempt."""

    async def wait(self) -> int:
        """Wait until it ends; its exit code."""

    async def stop(self, grace_s: float) -> None:
        """Stop it, cleanly within `grace_s` seconds, else by force."""


@dataclass(slots=True)
class ProcessChild:
    """A command as a Runnable. Output goes to `output` (appended), or to our own stdout and stderr."""

    command: Sequence[str]
    env: Mapping[str, str] | None = None
    output: Path | None = None
    _process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    async def start(self) -> None:
        """Spawn it, dying with us."""
        with ExitStack() as stack:
            file = None if self.output is None else stack.enter_context(_append(self.output))
            self._process = children.spawn(self.command, env=self.env, output=file)

    async def wait(self) -> int:
        """Wait until it ends; its exit code."""
        code = await children.wait(self._process) if self._process is not None else 0
        return 0 if code is None else code

    async def stop(self, grace_s: float) -> None:
        """SIGTERM, then SIGKILL after `grace_s` seconds."""
        if self._process is not None:
            await children.stop(self._process, grace_s)


class ChildState(StrEnum):
    """Where a supervised child stands."""

    RUNNING = "running"
    BACKING_OFF = "backing off"
    STOPPED = "stopped"


@dataclass(slots=True)
class Child:
    """One supervised child and what became of it."""

    name: str
    runnable: Runnable
    backoff: Backoff = field(default_factory=Backoff)
    state: ChildState = ChildState.STOPPED
    restarts: int = 0
    last_exit: int | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Supervisor:
    """Starts children in the order given and stops them in the order asked; restarts those that end by themselves.

    Use it from the main thread: every child dies with the thread that spawned it.
    """

    def __init__(self) -> None:
        self._children: dict[str, Child] = {}

    @property
    def children(self) -> Mapping[str, Child]:
        """Every child by name, in starting order."""
        return self._children

    async def start(self, name: str, runnable: Runnable, backoff: Backoff | None = None) -> None:
        """Start a child and keep it running. The first start may raise SoriError: then it is not supervised."""
        await runnable.start()
        child = Child(name, runnable, backoff or Backoff(), ChildState.RUNNING)
        _log.info("child_started", child=name, pid=runnable.pid)
        child.task = asyncio.create_task(self._keep_running(child), name=f"supervise-{name}")
        self._children[name] = child

    async def stop(self, name: str, grace_s: float = 15.0) -> None:
        """Stop a child for good; nothing happens when it is unknown or stopped already."""
        child = self._children.get(name)
        if child is None or child.task is None:
            return
        child.stopping.set()
        await child.runnable.stop(grace_s)
        await child.task
        child.state = ChildState.STOPPED
        _log.info("child_stopped", child=name)

    async def stop_all(self, order: Sequence[str], grace_s: float = 15.0) -> None:
        """Stop the named children one after the other, then any other in reverse starting order."""
        rest = [name for name in reversed(self._children) if name not in order]
        for name in (*order, *rest):
            await self.stop(name, grace_s)

    async def _keep_running(self, child: Child) -> None:
        started = time.monotonic()
        while not child.stopping.is_set():
            child.last_exit = await child.runnable.wait()
            if child.stopping.is_set():
                return
            if time.monotonic() - started >= HEALTHY_AFTER_S:
                child.backoff.reset()
            await self._restart(child)
            started = time.monotonic()

    async def _restart(self, child: Child) -> None:
        """Try until it starts again or is to stop."""
        reason = f"exit code {child.last_exit}"
        while True:
            child.state = ChildState.BACKING_OFF
            delay_s = child.backoff.next_s()
            _log.warning("child_ended", child=child.name, reason=reason, delay_s=round(delay_s, 2))
            if await _is_set_within(child.stopping, delay_s):
                return
            child.restarts += 1
            try:
                await child.runnable.start()
            except SoriError as error:
                reason = str(error)
                continue
            if child.stopping.is_set():  # asked to stop while it was starting
                await child.runnable.stop(0)
            child.state = ChildState.RUNNING
            _log.info("child_restarted", child=child.name, pid=child.runnable.pid, restarts=child.restarts)
            return


def _append(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
