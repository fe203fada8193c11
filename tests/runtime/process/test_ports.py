"""Ports for servers that are about to start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from runtime.process import ports
from runtime.process.ports import LOOPBACK, free_port, free_ports, is_free

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_free_ports_differ_and_can_be_bound() -> None:
    """Several at once, none twice."""
    found = free_ports(20)
    assert len(set(found)) == 20
    assert all(is_free(port) for port in found)


@pytest.mark.skipif(not RANGE.exists(), reason="Linux says where ports of outgoing connections begin")
def test_no_outgoing_connection_may_take_the_port_meanwhile() -> None:
    """A port of the kernel's own range could belong to a client's connection before the server binds it."""
    assert free_port() < int(RANGE.read_text().split()[0])


def test_without_that_range_the_kernel_chooses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Other systems do not say it."""
    monkeypatch.setattr(ports, "_EPHEMERAL", tmp_path / "missing")
    with socket.socket() as server:
        server.bind((LOOPBACK, free_port()))
        assert server.getsockname()[1] > 0
