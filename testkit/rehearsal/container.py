"""What a deployment file says about one container, whichever kind of file it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mount:
    """A path inside the container: a folder or file of the host, or (without a source) an empty one in memory."""

    target: str
    source: Path | None = None
    read_only: bool = False
    options: str = "mode=1777"  # of a file system in memory, as mount(8) takes them


@dataclass(frozen=True, slots=True)
class Container:
    """One container of ours. `waits_for`: names that must be `healthy`, or `done` (ended with 0), before it starts."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...]
    user: int
    group: int
    workdir: str
    read_only: bool
    one_shot: bool = False
    waits_for: Mapping[str, str] = field(default_factory=dict)
    health: tuple[str, ...] = ()  # a command that ends with 0 once the container is healthy
    stop_grace_s: float = 10.0

    def running(self, *arguments: str) -> Container:
        """The same container, started once with other arguments, as `docker compose run --rm` does."""
        command = (self.command[0], *arguments)
        fields = {slot: getattr(self, slot) for slot in self.__slots__}
        return Container(**{**fields, "name": f"{self.name}-run", "command": command, "one_shot": True, "health": ()})
