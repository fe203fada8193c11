"""TCP ports on the loopback interface."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from sori.errors import PrerequisiteError

LOOPBACK = "127.0.0.1"


def free_port(host: str = LOOPBACK) -> int:
    """A port that was free a moment ago; whoever binds it must still expect to lose a race."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def free_ports(count: int, host: str = LOOPBACK) -> list[int]:
    """That many ports, all different: they are held until the last is found."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((host, 0))
        return [probe.getsockname()[1] for probe in probes]


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server's own TIME_WAIT is no obstacle
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def require_free(port: int, option: str, host: str = LOOPBACK) -> None:
    """Raise PrerequisiteError, naming the option that picks another port, when something listens already."""
    if not is_free(port, host):
        raise PrerequisiteError(
            f"Port {port} on {host} is in use.",
            f"Stop what listens there (`ss -ltnp 'sport = :{port}'` shows it), or choose another port with {option}.",
        )
