"""TCP ports on the loopback interface."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from random import SystemRandom

from sori.errors import PrerequisiteError

LOOPBACK = "127.0.0.1"
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
#: Below are the ports of well-known services, ours among them.
_LOWEST = 12_000
_TRIES = 50


def free_port(host: str = LOOPBACK) -> int:
    """A port that was free a moment ago; whoever binds it must still expect to lose a race."""
    return free_ports(1, host)[0]


def free_ports(count: int, host: str = LOOPBACK) -> list[int]:
    """That many ports, all different: they are held until the last is found."""
    with ExitStack() as held:
        return [_hold(held.enter_context(socket.socket()), host) for _ in range(count)]


def _hold(probe: socket.socket, host: str) -> int:
    """Bind a random port that the kernel does not give to outgoing connections: one of those may not be bound later."""
    chooser = SystemRandom()  # not the shared generator, which tests seed
    ephemeral = _first_ephemeral()
    for _ in range(_TRIES if ephemeral > _LOWEST else 0):
        port = chooser.randrange(_LOWEST, ephemeral)
        with suppress(OSError):
            probe.bind((host, port))
            return port
    probe.bind((host, 0))
    return int(probe.getsockname()[1])


def _first_ephemeral() -> int:
    """The first port of outgoing connections; 0, for none below, where the system does not say."""
    try:
        return int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0


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
