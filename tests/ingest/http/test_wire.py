"""What a sender sees on the wire."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from pathlib import Path

import pytest

from sori.records import parse_headers
from testkit.records import body
from testkit.running_ingress import PATH, SECRET, SteeredLog, running
from testkit.wait import wait_until
from tests.ingest.process.test_files import certificate


async def test_a_good_delivery_gets_200_only_after_it_is_stored(tmp_path: Path) -> None:
    log = SteeredLog()
    async with running(tmp_path, log) as it:
        status, answer, _ = await it.post()
        assert (status, answer) == (200, {"status": "accepted"})
        assert [record.value for record in log.stored] == [body()]
        assert log.stored[0].topic == "sori.events"


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_a_body_is_stored_as_signed_whatever_its_encoding_on_the_wire(tmp_path: Path, encoding: str) -> None:
    async with running(tmp_path) as it:
        assert (await it.post(encoding=encoding))[0] == 200
        assert it.log.stored[0].value == body()


async def test_a_chunked_body_is_read_to_its_end(tmp_path: Path) -> None:
    from sori.signature import HmacSha256

    raw = body(metadata={"x": "y" * 50_000})

    async def chunks() -> object:
        for start in range(0, len(raw), 7_000):
            yield raw[start : start + 7_000]

    async with running(tmp_path) as it:
        headers = {
            "Content-Type": "application/json",
            "X-SORI-Signature": HmacSha256().sign(SECRET.encode(), raw),
        }
        async with it.http.post(it.url + PATH, data=chunks(), headers=headers) as answer:
            assert answer.status == 200
        assert it.log.stored[0].value == raw


@pytest.mark.parametrize(
    ("request_", "status", "kind"),
    [
        ({"secret": None}, 401, "unauthorized"),
        ({"secret": "wrong"}, 401, "unauthorized"),
        ({"secret": "wrong", "headers": {"Content-Type": "text/plain"}}, 401, "unauthorized"),
        ({"secret": "wrong", "headers": {"Content-Encoding": "br"}}, 415, "unsupported_type"),
        ({"raw": b"nope", "headers": {"Content-Encoding": "br"}}, 415, "unsupported_type"),
        ({"secret": "wrong", "headers": {"Content-Encoding": "gzip"}}, 400, "malformed"),
        ({"raw": b"nope", "headers": {"Content-Encoding": "gzip"}}, 422, "malformed"),
        ({"raw": b"x" * 2_000_000}, 413, "too_large"),
        ({"raw": b"x" * 200_000_000, "encoding": "gzip"}, 413, "too_large"),
        ({"raw": b""}, 422, "malformed"),
        ({"raw": b"[]"}, 422, "malformed"),
        ({"raw": b"nope"}, 422, "malformed"),
        ({"raw": body(event="campaign.unknown")}, 422, "invalid"),
        ({"path": "/webhooks/nobody"}, 404, "not_found"),
        ({"path": "/webhooks/nobody", "secret": "wrong"}, 404, "not_found"),
        ({"path": "/webhooks/nobody", "secret": None}, 404, "not_found"),
    ],
)
async def test_a_refusal_is_problem_json(tmp_path: Path, request_: dict[str, object], status: int, kind: str) -> None:
    async with running(tmp_path) as it:
        got, problem, headers = await it.post(**request_)  # type: ignore[arg-type]
        assert (got, problem["type"]) == (status, f"urn:sori:problem:{kind}")
        assert headers["Content-Type"] == "application/problem+json"
        assert (await it.post())[0] == 200  # and the next one is served


async def test_a_repeated_signature_header_is_one_with_several_signatures(tmp_path: Path) -> None:
    from sori.signature import HmacSha256

    raw = body()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    ours = HmacSha256().sign(SECRET.encode(), raw)
    async with running(tmp_path) as it:
        for both in (["00" * 32, ours], [ours, "00" * 32]):
            signatures = "".join(f"X-SORI-Signature: sha256={one}\r\n" for one in both)
            answer = await it.raw(f"{head}{signatures}Content-Length: {len(raw)}\r\n\r\n".encode() + raw)
            assert answer.startswith(b"HTTP/1.1 200 ")


ODD_REQUESTS = [
    {"path": "/webhooks/sori/"},
    {"path": "//webhooks//sori"},
    {"path": "/Webhooks/SORI"},
    {"path": "/webhooks/sori/?a=b"},
    {"path": "/webhooks/%73ori"},
    *[
        {"headers": {"Content-Type": kind}}
        for kind in (
            "text/plain",
            "application/cloudevents+json",
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-16",
            'application/json; charset="UTF8"',
            "application/json; charset=utf-8;",
            "nonsense",
            ";;",
        )
    ],
    *[{"headers": {"Content-Encoding": coding}} for coding in ("br", "utf-8", "gzip", "gzip, gzip")],
]


@pytest.mark.parametrize("odd", ODD_REQUESTS, ids=str)
async def test_the_signature_decides_and_not_how_the_request_is_dressed(tmp_path: Path, odd: dict[str, object]) -> None:
    async with running(tmp_path) as it:
        assert (await it.post(**odd))[0] == 200  # type: ignore[arg-type]
        assert [(record.topic, record.value) for record in it.log.stored] == [("sori.events", body())]
        assert (await it.post(secret="wrong", **odd))[0] in (400, 401, 415)  # type: ignore[arg-type]
        assert len(it.log.stored) == 1


async def test_a_missing_content_type_is_no_reason_to_drop_a_signed_event(tmp_path: Path) -> None:
    from sori.signature import HmacSha256

    raw = body()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(raw)}\r\n"
    async with running(tmp_path) as it:
        signed = f"{head}X-SORI-Signature: {HmacSha256().sign(SECRET.encode(), raw)}\r\n\r\n"
        assert (await it.raw(signed.encode() + raw)).startswith(b"HTTP/1.1 200 ")


async def test_a_signature_over_the_compressed_bytes_proves_the_sender_too(tmp_path: Path) -> None:
    import gzip
    import io

    from sori.signature import HmacSha256

    wire = gzip.compress(body())
    headers = {"Content-Encoding": "gzip", "X-SORI-Signature": HmacSha256().sign(SECRET.encode(), wire)}
    async with running(tmp_path) as it:
        async with it.http.post(it.url + PATH, data=io.BytesIO(wire), headers=headers) as answer:
            assert answer.status == 200
        async with it.http.post(it.url + "/mistyped", data=io.BytesIO(wire), headers=headers) as answer:
            assert answer.status == 404
        assert [(record.topic, record.value) for record in it.log.stored] == [
            ("sori.events", body()),
            ("sori.quarantine", body()),
        ]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json; charset=UTF_8", 200),
        ("application/vnd.sori+json", 200),
        ('application/json;charset="utf8";', 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/json; charset=utf-16", 415),
    ],
)
async def test_without_a_signature_a_web_page_cannot_make_a_browser_post_events(
    tmp_path: Path, kind: str, status: int
) -> None:
    async with running(tmp_path, unsigned=True) as it:
        assert (await it.post(secret=None, headers={"Content-Type": kind}))[0] == status


async def test_a_wrong_path_is_counted_and_logged_once_in_a_while(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def counted() -> float:
        found = re.search(r'protocol_errors_total{kind="not_found"} (\S+)', (await it.get("/metrics"))[1])
        return float(found[1]) if found else 0.0

    async with running(tmp_path) as it:
        before = await counted()
        for _ in range(20):
            assert (await it.post(path="/webhooks/nobody", secret=None))[0] == 404
        assert await counted() == before + 20
    lines = [line for line in "".join(capfd.readouterr()).splitlines() if "/webhooks/nobody" in line]
    assert len(lines) == 1


async def test_get_on_an_endpoint_is_405_and_says_what_is_allowed(tmp_path: Path) -> None:
    async with running(tmp_path) as it, it.http.get(it.url + PATH) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_an_unsigned_endpoint_answers_400_to_bad_json_and_keeps_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, unsigned=True) as it:
        assert (await it.post(b"nope", secret=None))[0] == 400
        assert it.log.stored == []
        assert (await it.post(secret=None))[0] == 200
        assert not parse_headers(it.log.stored[0].headers).verified


async def test_what_a_proven_sender_sent_wrongly_is_quarantined_before_the_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        raw = body(created_at=7)
        status, problem, _ = await it.post(raw)
        assert (status, problem["field"]) == (422, "created_at")
        (record,) = it.log.stored
        headers = dict(record.headers)
        assert (record.topic, record.value) == ("sori.quarantine", raw)
        assert (headers["reason"], headers["field"], headers["account"]) == (b"schema", b"created_at", b"acc_1")
        assert (headers["verified"], headers["endpoint"]) == (b"1", b"default")


async def test_a_query_string_does_not_hide_the_endpoint(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        assert (await it.post(path=PATH + "?a=b"))[0] == 200


async def test_probes_and_metrics_answer_on_the_same_port(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        await it.post()
        assert (await it.get("/healthz"))[0] == 200
        assert (await it.get("/readyz"))[0] == 200
        status, text = await it.get("/metrics")
        assert status == 200
        assert 'sori_ingest_events_total{account="acc_1",outcome="accepted"}' in text
        assert "sori_ingest_spool_events 0.0" in text


async def test_metrics_name_no_account_that_did_not_prove_itself(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        await it.post(body(account_id="acc_forged"), secret="wrong")
        assert "acc_forged" not in (await it.get("/metrics"))[1]


async def test_a_proven_sender_makes_no_label_of_an_account_that_is_not_its_own(tmp_path: Path) -> None:
    file = tmp_path / "endpoints.toml"
    file.write_text(f'[[endpoint]]\nname = "acme"\naccounts = ["acc_1"]\nsecrets = ["{SECRET}"]\n')
    async with running(tmp_path, endpoints_file=file) as it:
        assert (await it.post(body(account_id="acc_of_others"), path="/webhooks/acme"))[0] == 403
        assert "acc_of_others" not in (await it.get("/metrics"))[1]


async def test_pipelined_requests_are_answered_in_order_on_one_connection(tmp_path: Path) -> None:
    from sori.signature import HmacSha256

    raw = body()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"X-SORI-Signature: {HmacSha256().sign(SECRET.encode(), raw)}\r\nContent-Length: {len(raw)}\r\n"
    )
    good, last = f"{head}\r\n".encode() + raw, f"{head}Connection: close\r\n\r\n".encode() + raw
    wrong = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    async with running(tmp_path) as it:
        answer = await it.raw(good * 40 + wrong + last)
        statuses = re.findall(rb"HTTP/1.1 (\d+)", answer)
        assert statuses == [b"200"] * 40 + [b"404", b"200"]


async def test_http_1_0_is_answered_and_closed(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        answer = await it.raw(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b" 200 " in answer
        assert b"Connection: close" in answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST " + b"/x" * 9_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"POST /" + b"x" * 20_000_000, b"414"),  # more than sockets buffer: the answer must not be lost in a reset
        (b"POST / HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
        (b"POST / HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n", b"431"),
        (b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"400"),
        (
            b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
            b"400",
        ),
    ],
)
async def test_bad_http_gets_problem_json_and_the_connection_ends(
    tmp_path: Path, request_: bytes, status: bytes
) -> None:
    async with running(tmp_path) as it:
        answer = await it.raw(request_)
        assert answer.split(b" ")[1] == status
        assert b"application/problem+json" in answer


async def test_expect_100_continue_is_honoured(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
            f"X-SORI-Signature: {'0' * 64}\r\nContent-Length: 4\r\n\r\n".encode()
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"nope")
        assert b" 401 " in await reader.readline()
        writer.close()


@pytest.mark.parametrize("header", ["", "X-SORI-Signature: nonsense\r\n"])
async def test_a_body_that_no_signature_can_prove_is_not_waited_for(tmp_path: Path, header: str) -> None:
    async with running(tmp_path, body_timeout_s=30.0) as it:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{header}"
        begun = time.monotonic()
        assert b" 401 " in await it.raw(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        assert time.monotonic() - begun < 10


async def test_what_no_signature_can_prove_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inflated: list[int] = []
    monkeypatch.setattr("ingest.http.judge.inflate", lambda _encoding, data, _limit: inflated.append(1) or data)
    async with running(tmp_path) as it:
        assert (await it.post(secret=None, encoding="gzip"))[0] == 401
        assert inflated == []


async def test_where_nothing_is_signed_few_bytes_are_not_made_into_many(tmp_path: Path) -> None:
    raw = body(metadata={"x": "y" * 2_000_000})
    async with running(tmp_path / "signed") as it:
        assert (await it.post(raw, encoding="gzip"))[0] == 200
    async with running(tmp_path / "unsigned", unsigned=True) as it:
        assert (await it.post(raw, secret=None, encoding="gzip"))[0] == 413


async def test_a_body_that_dribbles_is_cut_off_while_good_senders_are_served(tmp_path: Path) -> None:
    async with running(tmp_path, body_timeout_s=0.3) as it:
        slow = asyncio.create_task(
            it.raw(
                f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                f"X-SORI-Signature: {'0' * 64}\r\nContent-Length: 1000\r\n\r\n{{".encode()
            )
        )
        for _ in range(20):
            assert (await it.post())[0] == 200
        assert b" 408 " in await slow


async def test_a_head_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    async with running(tmp_path, header_timeout_s=0.2) as it:
        assert await it.raw(b"POST /webhooks/sori HTTP/1.1\r\nHost: x\r\nX-Slow: ") == b""


async def test_a_connection_too_many_takes_the_place_of_the_one_that_waits_longest(tmp_path: Path) -> None:
    async with running(tmp_path, max_connections=3) as it:
        held = []
        for number in range(1, 4):
            held.append(await asyncio.open_connection("127.0.0.1", it.port))
            await wait_until(lambda number=number: it.ingress.server.open_connections == number)
        assert (await it.post())[0] == 200
        assert await held[0][0].read() == b""
        assert not held[1][0].at_eof()
        assert not held[2][0].at_eof()
        for _, writer in held:
            writer.close()


async def test_a_connection_that_carried_a_verified_event_is_evicted_last(tmp_path: Path) -> None:
    async with running(tmp_path, max_connections=3) as it:
        assert (await it.post())[0] == 200  # kept by the client session
        others = [await asyncio.open_connection("127.0.0.1", it.port) for _ in range(10)]
        await wait_until(lambda: it.ingress.server.open_connections == 3)
        assert [connection.proven for connection in it.ingress.server.connections].count(True) == 1
        for _, writer in others:
            writer.transport.abort()


async def test_when_every_connection_is_at_work_one_too_many_gets_503_and_is_closed(tmp_path: Path) -> None:
    log = SteeredLog()
    async with running(tmp_path, log, max_connections=2) as it:
        log.delay_s = 0.5
        waiting = [asyncio.create_task(it.post()) for _ in range(2)]
        await wait_until(lambda: it.ingress.webhooks.in_flight == 2)
        answer = await it.raw(b"")
        assert b" 503 " in answer
        assert b"Retry-After" in answer
        assert [status for status, _, _ in await asyncio.gather(*waiting)] == [200, 200]
        assert (await it.post())[0] == 200


async def test_whoever_leaves_answers_unread_is_not_answered_further(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        _, writer = await asyncio.open_connection("127.0.0.1", it.port, limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(400):
            writer.write(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
        await wait_until(lambda: it.ingress.server.open_connections == 1)
        (connection,) = it.ingress.server.connections
        await wait_until(lambda: connection.writing_paused)
        assert connection.transport.get_write_buffer_size() < 200_000
        writer.transport.abort()


async def test_overload_is_shed_at_once_with_retry_after(tmp_path: Path) -> None:
    log = SteeredLog()
    async with running(tmp_path, log, max_in_flight=2) as it:
        log.delay_s = 0.5
        waiting = [asyncio.create_task(it.post()) for _ in range(2)]
        await wait_until(lambda: it.ingress.webhooks.in_flight == 2)
        begun = time.monotonic()
        status, problem, headers = await it.post()
        assert (status, problem["type"]) == (503, "urn:sori:problem:overloaded")
        assert int(headers["Retry-After"]) >= 1
        assert time.monotonic() - begun < 0.4
        assert [status for status, _, _ in await asyncio.gather(*waiting)] == [200, 200]


async def test_bodies_count_as_received_and_the_one_that_arrives_longest_makes_room(tmp_path: Path) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n"
    begun = f"{head}X-SORI-Signature: {'0' * 64}\r\n\r\n".encode()
    async with running(tmp_path, max_buffered_bytes=1_500_000, body_timeout_s=10.0) as it:
        streams = [await asyncio.open_connection("127.0.0.1", it.port) for _ in range(22)]
        for _, writer in streams:
            writer.write(begun)
        await wait_until(lambda: it.ingress.server.arriving == 22)
        assert it.ingress.budget.held == 0
        (reader, first), (_, second) = streams[:2]
        first.write(b"x" * 300_000)
        await wait_until(lambda: it.ingress.budget.held == 300_000)
        second.write(b"x" * 200_000)
        assert b" 503 " in await reader.readline()
        await wait_until(lambda: it.ingress.budget.held == 200_000)
        assert (await it.post())[0] == 200
        for _, writer in streams:
            writer.transport.abort()
        await wait_until(lambda: it.ingress.budget.held == 0)


async def test_head_gets_a_head_and_no_body(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        for path, status in (("/healthz", b"200"), (PATH, b"405")):
            request = f"HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            answer = await it.raw(request.encode())
            assert answer.split(b" ")[1] == status
            assert answer.endswith(b"\r\n\r\n")


async def test_an_account_that_sends_too_fast_gets_429_and_others_do_not(tmp_path: Path) -> None:
    async with running(tmp_path, rate_limit_per_s=0.001, rate_burst=2) as it:
        assert [(await it.post())[0] for _ in range(3)] == [200, 200, 429]
        assert (await it.post(body(account_id="acc_2")))[0] == 200


async def test_a_sender_that_hangs_up_does_not_disturb_the_others(tmp_path: Path) -> None:
    log = SteeredLog()
    async with running(tmp_path, log) as it:
        log.delay_s = 0.2
        _, writer = await asyncio.open_connection("127.0.0.1", it.port)
        raw = body()
        from sori.signature import HmacSha256

        signature = HmacSha256().sign(SECRET.encode(), raw)
        writer.write(
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-SORI-Signature: {signature}\r\n"
            f"Content-Length: {len(raw)}\r\n\r\n".encode()
            + raw
        )
        await wait_until(lambda: it.ingress.webhooks.in_flight == 1)
        writer.close()
        assert (await it.post())[0] == 200
        await wait_until(lambda: it.ingress.webhooks.in_flight == 0)


def _whole(number: int) -> bytes:
    """A signed request as bytes."""
    from sori.signature import HmacSha256

    raw = body(activity_id=f"act_{number}")
    signature = HmacSha256().sign(SECRET.encode(), raw)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-SORI-Signature: {signature}\r\n"
    return f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw


async def test_whoever_has_said_all_is_answered_all_the_same(tmp_path: Path) -> None:
    """A sender may close its half after the request; it would take silence for a failure and send again."""
    log = SteeredLog()
    async with running(tmp_path, log) as it:
        log.delay_s = 0.2
        for requests in (1, 3):
            reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
            writer.write(b"".join(map(_whole, range(requests))))
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), 30)
            assert answer.count(b"HTTP/1.1 200 ") == requests
            writer.close()
        await wait_until(lambda: it.ingress.server.open_connections == 0)


async def test_whoever_breaks_off_holds_nothing(tmp_path: Path) -> None:
    """Half a head, half a body, or nothing at all, and then its half is closed."""
    async with running(tmp_path, header_timeout_s=60, keepalive_timeout_s=60) as it:
        for begun in (b"", b"POST /webhooks/sori HT", _whole(1)[:-5], _whole(1) + _whole(2)[:-5]):
            reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
            writer.write(begun)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 30)
            writer.close()
        await wait_until(lambda: it.ingress.server.open_connections == 0)


async def test_draining_is_unready_and_says_close_while_it_serves_what_is_open(tmp_path: Path) -> None:
    log = SteeredLog()
    async with running(tmp_path, log) as it:
        log.delay_s = 0.3
        late = asyncio.create_task(it.post())
        await wait_until(lambda: it.ingress.webhooks.in_flight == 1)
        it.ingress.webhooks.draining = True
        assert (await it.get("/readyz"))[0] == 503
        assert (await it.get("/healthz"))[0] == 200
        status, _, headers = await it.post()
        assert (status, headers["Connection"]) == (200, "close")
        assert (await late)[0] == 200


async def test_a_url_too_long_is_counted_and_leaves_no_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def counted() -> float:
        found = re.search(r'protocol_errors_total{kind="url_too_long"} (\S+)', (await it.get("/metrics"))[1])
        return float(found[1]) if found else 0.0

    async with running(tmp_path) as it:
        before = await counted()
        for _ in range(3):
            answer = await it.raw(b"POST /" + b"x" * 8_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 414 ")
            assert b"urn:sori:problem:url_too_long" in answer
        assert b" 404 " in await it.raw(b"POST /" + b"x" * 7_990 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert await counted() == before + 3
        await wait_until(lambda: it.ingress.server.open_connections <= 1)  # the one that asks for metrics
    assert "Traceback" not in "".join(capfd.readouterr()) + caplog.text


async def test_a_tls_handshake_that_never_ends_is_cut_off_while_others_are_served(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "localhost")
    async with running(tmp_path, tls_cert=cert, tls_key=key, header_timeout_s=0.5) as it:
        silent = [await asyncio.open_connection("127.0.0.1", it.port) for _ in range(20)]
        url, trusted = f"https://localhost:{it.port}/healthz", ssl.create_default_context(cafile=str(cert))
        async with it.http.get(url, ssl=trusted) as answer:
            assert answer.status == 200
        for reader, writer in silent:
            assert await reader.read() == b""
            writer.close()
