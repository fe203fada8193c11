"""What a command says of windows that the sinks have to count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cli.shared.say import say


def say_waiting(result: Mapping[str, Any]) -> None:
    """A line if there are such windows."""
    if waiting := result.get("windows_waiting"):
        say(f"{waiting:,} windows have events that are not stored yet: running sinks count them when they are")
