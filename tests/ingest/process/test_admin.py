"""Metrics are on the admin port alone, and without that port events are taken all the same."""

from __future__ import annotations

from pathlib import Path

from testkit.listener import listening
from testkit.running_ingress import running


async def test_metrics_are_not_for_the_world(tmp_path: Path) -> None:
    """The webhook port keeps what load balancers ask; the admin port has all three."""
    async with running(tmp_path) as it:
        for path, public in (("/metrics", 404), ("/healthz", 200), ("/readyz", 200)):
            async with it.http.get(it.url + path) as answer:
                assert answer.status == public, path
            admin = f"http://127.0.0.1:{it.ingress.settings.ingest.admin_port}"
            async with it.http.get(admin + path) as answer:
                assert answer.status == 200, path
        assert "sori_ingest_events" in (await it.get("/metrics"))[1]


async def test_a_taken_admin_port_costs_no_event(tmp_path: Path) -> None:
    """It is an error in the log; webhooks are served."""
    with listening() as port:
        async with running(tmp_path, admin_port=port) as it:
            assert (await it.post())[0] == 200
    async with running(tmp_path, admin_port=0) as it:
        assert (await it.post())[0] == 200
