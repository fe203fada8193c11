"""2xx means stored, whatever Kafka does: an ingress with a Kafka that comes and goes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from testkit.records import body
from testkit.running_ingress import SteeredLog, running
from testkit.wait import wait_until


def ids(log: SteeredLog) -> list[str]:
    return [dict(record.headers)["identity"].decode() for record in log.stored]


async def test_kafka_down_at_the_start_does_not_keep_us_from_serving(tmp_path: Path) -> None:
    log = SteeredLog()
    log.up = False
    async with running(tmp_path, log) as it:
        status, answer, _ = await it.post()
        assert (status, answer["status"]) == (200, "spooled")
        assert (await it.get("/readyz"))[0] == 200
        log.up = True
        await wait_until(lambda: it.ingress.committer.direct)
        assert ids(log) == ["act_1"]
        assert (await it.post())[1]["status"] == "accepted"


async def test_what_kafka_does_not_acknowledge_in_time_is_spooled_within_the_deadline(tmp_path: Path) -> None:
    log = SteeredLog()
    async with running(tmp_path, log, ack_timeout_s=0.3, deadline_s=2.0) as it:
        assert (await it.post())[1]["status"] == "accepted"
        log.delay_s, log.up = 5.0, False
        begun = time.monotonic()
        assert (await it.post())[1]["status"] == "spooled"
        assert time.monotonic() - begun < 2.0


async def test_events_leave_the_spool_in_order_and_new_ones_queue_behind(tmp_path: Path) -> None:
    log = SteeredLog()
    async with running(tmp_path, log, ack_timeout_s=0.2) as it:
        log.up = False
        for number in range(30):
            assert (await it.post(body(activity_id=f"a{number:03}")))[0] == 200
        log.up = True
        for number in range(30, 120):
            assert (await it.post(body(activity_id=f"a{number:03}")))[0] == 200
        await wait_until(lambda: it.ingress.committer.direct)
        assert (await it.post(body(activity_id="a120")))[1]["status"] == "accepted"
        assert ids(log) == sorted(ids(log))
        assert len(ids(log)) == 121


async def test_the_third_outage_of_a_process_is_as_harmless_as_the_first(tmp_path: Path) -> None:
    log = SteeredLog()
    sent = []
    async with running(tmp_path, log, ack_timeout_s=0.2) as it:
        for outage in range(3):
            log.up = False
            for number in range(7):
                sent.append(f"a{outage}{number}")
                assert (await it.post(body(activity_id=sent[-1])))[0] == 200
            log.up = True
            await wait_until(lambda: it.ingress.committer.direct)
            assert ids(log) == sent


async def test_a_full_spool_is_503_with_retry_after_unready_and_recovers(tmp_path: Path) -> None:
    log = SteeredLog()
    log.up = False
    async with running(tmp_path, log, spool_max_bytes=5 * len(body())) as it:
        statuses = [(await it.post(body(activity_id=str(number))))[0] for number in range(10)]
        assert statuses.count(200) == statuses.index(503) > 0
        status, problem, headers = await it.post()
        assert (status, problem["type"]) == (503, "urn:sori:problem:overloaded")
        assert "Retry-After" in headers
        log.up = True
        await wait_until(lambda: it.ingress.committer.direct)
        assert (await it.post())[0] == 200
        assert len(log.stored) == statuses.count(200) + 1


async def test_an_event_too_old_in_the_spool_means_no_more_are_taken_and_none_is_dropped(tmp_path: Path) -> None:
    log = SteeredLog()
    log.up = False
    async with running(tmp_path, log, spool_max_age_s=0.2) as it:
        assert (await it.post())[0] == 200
        await wait_until(lambda: not it.ingress.spool.has_room)
        assert (await it.post())[0] == 503
        assert (await it.get("/readyz"))[0] == 503
        log.up = True
        await wait_until(lambda: it.ingress.committer.direct)
        assert len(log.stored) == 1


async def test_quarantine_goes_through_the_spool_as_well(tmp_path: Path) -> None:
    log = SteeredLog()
    log.up = False
    async with running(tmp_path, log) as it:
        assert (await it.post(b"nope"))[0] == 422
        assert it.ingress.spool.pending == 1
        log.up = True
        await wait_until(lambda: it.ingress.committer.direct)
        assert [record.topic for record in log.stored] == ["sori.quarantine"]


async def test_no_place_for_a_quarantined_body_is_503_so_that_it_comes_again(tmp_path: Path) -> None:
    log = SteeredLog()
    log.up = False
    async with running(tmp_path, log, spool_max_bytes=1) as it:
        assert (await it.post(b"nope"))[0] == 503


async def test_what_is_left_in_the_spool_is_delivered_by_the_next_process(tmp_path: Path) -> None:
    log = SteeredLog()
    log.up = False
    async with running(tmp_path, log) as it:
        for number in range(5):
            await it.post(body(activity_id=f"a{number}"))
    fresh = SteeredLog()
    async with running(tmp_path, fresh) as it:
        await wait_until(lambda: it.ingress.committer.direct)
        assert ids(fresh) == [f"a{number}" for number in range(5)]
    assert not list((tmp_path / "spool").glob("*.sqlite"))


async def test_a_record_that_the_broker_refuses_for_good_is_parked_and_the_rest_goes_through(tmp_path: Path) -> None:
    log = SteeredLog()
    log.up = False
    async with running(tmp_path, log) as it:
        for number in range(20):
            await it.post(body(activity_id=f"a{number:02}"))
        log.rejects = lambda record: b'"a07"' in record.value
        log.up = True
        await wait_until(lambda: it.ingress.committer.direct)
        assert ids(log) == [f"a{number:02}" for number in range(20) if number != 7]
        await wait_until(lambda: it.ingress.spool.status.parked == 1)


async def test_a_disk_that_hangs_means_503_at_the_deadline(tmp_path: Path) -> None:
    log = SteeredLog()
    log.up = False
    async with running(tmp_path, log, ack_timeout_s=0.1, deadline_s=0.5) as it:
        gate = asyncio.Event()

        async def hang(_records: object) -> None:
            await gate.wait()

        it.ingress.spool.append = hang  # type: ignore[method-assign]
        begun = time.monotonic()
        status, problem, _ = await it.post()
        assert (status, problem["type"]) == (503, "urn:sori:problem:timeout")
        assert time.monotonic() - begun < 2.0
        gate.set()


async def test_secrets_rotate_when_the_endpoints_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "endpoints.toml"
    text = '[[endpoint]]\nname = "acme"\naccounts = ["acc_1"]\nsecrets = [{}]\n'
    file.write_text(text.format('"old"'))
    async with running(tmp_path, endpoints_file=str(file)) as it:

        async def status(secret: str) -> int:
            return (await it.post(path="/webhooks/acme", secret=secret))[0]

        assert (await status("old"), await status("new")) == (200, 401)
        file.write_text(text.format('"old", "new"'))
        await wait_until(lambda: len(it.ingress.webhooks.rules.table.by_path["/webhooks/acme"].secrets) == 2)
        assert (await status("old"), await status("new")) == (200, 200)
        file.write_text("broken")
        it.ingress.housekeeper.reload_all()
        assert (await status("old"), await status("new")) == (200, 200)
        file.write_text(text.format('"new"'))
        it.ingress.housekeeper.reload_all()
        assert (await status("old"), await status("new")) == (401, 200)
