"""Kafka as companies run it: every login works against the real broker, and what is refused says why and where."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiokafka.errors import KafkaError

from broker.acls import grant
from broker.topic_admin import apply_topics
from runtime.kafka.clients import bounded, make_consumer, make_producer, running, running_admin
from runtime.kafka.explain import explain
from runtime.process.ports import LOOPBACK, free_port
from sori.errors import ConfigError, StorageUnavailable
from sori.rights import Right
from sori.settings.kafka import KafkaSettings
from testkit.secure_kafka import SecureKafka, unsigned_token
from testkit.wait import wait_until

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """One broker with every way in."""
    rig = SecureKafka(tmp_path_factory.mktemp("secure"))
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(rig.broker.start())
        yield rig
        runner.run(rig.broker.stop())


async def round_trip(kafka: KafkaSettings) -> bytes:
    """Produce and read back one record, and ask as an administrator."""
    from aiokafka import TopicPartition
    from aiokafka.admin import NewTopic

    topic = f"trip-{os.urandom(4).hex()}"
    async with running_admin(kafka) as admin:
        await bounded(admin.create_topics([NewTopic(topic, 1, 1)]), 10, "create")
    async with running(make_producer(kafka), 10) as producer:
        await bounded(producer.send_and_wait(topic, b"hello", partition=0), 10, "send")
    async with running(make_consumer(kafka), 10) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return bytes((await bounded(consumer.getone(), 10, "read")).value)


async def refused(kafka: KafkaSettings) -> str:
    """What a producer and an admin client say when they may not connect; both say it."""
    with pytest.raises(StorageUnavailable) as told:
        async with running(make_producer(kafka), 8, "produce"):
            pass
    with pytest.raises(StorageUnavailable) as admin_told:
        async with running_admin(kafka):
            pass
    assert str(told.value).partition(": ")[2] in str(admin_told.value)
    return str(told.value)


@asynccontextmanager
async def identity_provider(answer: Any, status: int = 200) -> AsyncIterator[tuple[str, list[dict[str, str]]]]:
    """A token endpoint; yields its URL and what it was asked."""
    asked: list[dict[str, str]] = []

    async def token(request: web.Request) -> web.Response:
        form = await request.post()
        asked.append(
            {"authorization": request.headers.get("Authorization", ""), **{k: str(v) for k, v in form.items()}}
        )
        return web.json_response(answer, status=status)

    app = web.Application()
    app.router.add_post("/token", token)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, LOOPBACK, port).start()
    yield f"http://{LOOPBACK}:{port}/token", asked
    await runner.cleanup()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_password_logs_in_over_tls(secure: SecureKafka, mechanism: str) -> None:
    """Producer, consumer and admin client, by each mechanism."""
    assert await round_trip(KafkaSettings(**secure.sasl(mechanism=mechanism))) == b"hello"


async def test_a_client_certificate_logs_in(secure: SecureKafka) -> None:
    """Kafka takes its subject for the user; a key with a password works as well. ACLs: no right, but a connection."""
    kafka = KafkaSettings(**secure.mtls(secure.authority.issue("me")))
    async with running_admin(kafka) as admin:
        assert (await admin.describe_cluster())["brokers"]


async def test_a_bearer_token_logs_in(secure: SecureKafka, tmp_path: Path) -> None:
    """From a file that somebody renews, and from an identity provider by client id and secret."""
    common = {**secure.sasl(mechanism="OAUTHBEARER"), "sasl_username": None, "sasl_password": None}
    file = tmp_path / "token"
    file.write_text(unsigned_token("admin") + "\n")
    assert await round_trip(KafkaSettings(**common, oauth_token_path=file)) == b"hello"
    client = {"oauth_client_id": "me", "oauth_client_secret": "hush", "oauth_scope": "kafka"}
    async with identity_provider({"access_token": unsigned_token("admin"), "expires_in": 300}) as (url, asked):
        assert await round_trip(KafkaSettings(**common, **client, oauth_token_url=url)) == b"hello"
        assert {(one["grant_type"], one["scope"]) for one in asked} == {("client_credentials", "kafka")}
        assert asked[0]["authorization"].startswith("Basic ")
    async with identity_provider({"error": "invalid_client"}, status=401) as (url, _):
        told = await refused(KafkaSettings(**common, **client, oauth_token_url=url))
        assert f"{url} answers 401" in told
        assert "invalid_client" in told
    file.write_text(unsigned_token("admin", life_s=-60))
    assert "kafka.oauth_token_path" in await refused(KafkaSettings(**common, oauth_token_path=file))
    file.write_text("\n")
    assert f"the token file {file} is empty" in await refused(KafkaSettings(**common, oauth_token_path=file))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_a_wrong_password_names_the_setting(secure: SecureKafka, mechanism: str) -> None:
    """And never the password."""
    told = await refused(KafkaSettings(**secure.sasl(mechanism=mechanism, sasl_password="not-it")))
    assert re.search("refuses the login: .*check kafka.sasl_username", told)
    assert "not-it" not in told
    own = KafkaSettings(**secure.sasl(ingest={"sasl_username": "ingest", "sasl_password": "not-it"})).of("ingest")
    assert "check kafka.ingest.sasl_username" in await refused(own)


async def test_certificates_that_are_of_no_use_are_told_apart(secure: SecureKafka, tmp_path: Path) -> None:
    """The broker's has expired, or is of an unknown authority, or of another host; ours has expired, or is missing."""
    from testkit.certificates import Authority

    tls = {"security_protocol": "SSL", "tls_ca": secure.authority.cert}
    told = await refused(KafkaSettings(bootstrap=secure.bootstrap("BADCERT"), **tls))
    assert "the broker's certificate has expired" in told
    stranger = Authority(tmp_path / "stranger")
    assert "set kafka.tls_ca" in await refused(KafkaSettings(**secure.sasl(tls_ca=stranger.cert)))
    assert "set kafka.tls_ca" in await refused(KafkaSettings(**secure.sasl(tls_ca=None)))
    ours = KafkaSettings(**secure.mtls(secure.authority.issue("late", expired=True)))
    assert re.search(r"certificate.*kafka\.tls_cert", await refused(ours))
    nobody = KafkaSettings(bootstrap=secure.bootstrap("MTLS"), **tls)
    assert re.search(r"kafka\.(tls_cert|security_protocol)", await refused(nobody))


async def test_another_protocol_than_the_listeners_is_told(secure: SecureKafka) -> None:
    """Plain to TLS, TLS to plain, SASL where there is none, a mechanism that is off."""
    plain = KafkaSettings(bootstrap=secure.bootstrap("SASL"), request_timeout_s=4)
    assert "kafka.security_protocol" in await refused(plain)
    to_plain = KafkaSettings(**{**secure.sasl(), "bootstrap": secure.broker.bootstrap}, request_timeout_s=4)
    assert "kafka.security_protocol = SASL_SSL" in await refused(to_plain)
    off = {**secure.sasl(mechanism="SCRAM-SHA-256"), "bootstrap": secure.bootstrap("SASLPLAIN"), "tls_ca": None}
    told = await refused(KafkaSettings(**{**off, "security_protocol": "SASL_PLAINTEXT"}))
    assert "correct kafka.sasl_mechanism" in told
    none = {**secure.sasl(), "bootstrap": secure.broker.bootstrap, "tls_ca": None}
    assert "kafka.security_protocol" in await refused(KafkaSettings(**{**none, "security_protocol": "SASL_PLAINTEXT"}))


async def test_a_missing_right_names_topic_and_where_rights_are_listed(secure: SecureKafka) -> None:
    """For a producer that may write nowhere, for one that may write elsewhere, for a consumer and for its group."""
    await apply_topics(KafkaSettings(**secure.sasl()))
    with pytest.raises(StorageUnavailable, match=r"the right WRITE on any topic .*; `sori topics acls`"):
        async with running(make_producer(KafkaSettings(**secure.sasl("ingest"))), 10):
            pass
    streams = KafkaSettings(**secure.sasl("streams"))
    async with running_admin(KafkaSettings(**secure.sasl())) as admin:
        for right in (Right("topic", "sori.late", "WRITE"), Right("topic", "sori.events", "READ")):
            await bounded(grant(admin, "User:streams", right), 10, "grant")
    await wait_until(partial(may_produce, streams), what="the rights reach the broker")
    async with running(make_producer(streams), 10) as producer:
        with pytest.raises(StorageUnavailable, match=r"right to topic sori\.alerts"):
            await bounded(producer.send_and_wait("sori.alerts", b"x"), 10, "send")
    with pytest.raises(StorageUnavailable, match=r"the right READ on consumer group some-group; `sori topics acls`"):
        async with running(make_consumer(streams, "sori.events", group_id="some-group"), 10) as consumer:
            await bounded(consumer.getone(), 10, "read")


async def may_produce(kafka: KafkaSettings) -> bool:
    """Whether a producer starts, which takes the right to write somewhere."""
    try:
        async with running(make_producer(kafka), 10):
            return True
    except StorageUnavailable:
        return False


async def test_a_file_of_no_use_names_its_setting(secure: SecureKafka, tmp_path: Path) -> None:
    """Before anything connects."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate\n")
    with pytest.raises(ConfigError, match=r"kafka\.tls_ca: .*broken\.pem"):
        make_producer(KafkaSettings(**secure.sasl(tls_ca=broken)))
    pair = secure.authority.issue("other")
    with pytest.raises(ConfigError, match=r"kafka\.tls_cert: "):
        make_producer(KafkaSettings(**{**secure.mtls(pair), "tls_key": secure.authority.issue("third").key}))


async def test_a_renewed_certificate_is_used_by_a_client_that_lives_on(secure: SecureKafka, tmp_path: Path) -> None:
    """The files change under it; its next connection shows the new one."""
    from runtime.kafka.tls import make_context

    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def put(name: str, *, expired: bool) -> None:
        pair = secure.authority.issue(name, expired=expired)
        shutil.copy(pair.cert, cert)
        shutil.copy(pair.key, key)

    put("old", expired=True)
    kafka = KafkaSettings(**{**secure.mtls(secure.authority.issue("x")), "tls_cert": cert, "tls_key": key})
    context = make_context(kafka)

    async def connects() -> bool:
        from aiokafka.conn import AIOKafkaConnection

        connection = AIOKafkaConnection(
            LOOPBACK, secure.ports["MTLS"], security_protocol="SSL", ssl_context=context, request_timeout_ms=5000
        )
        try:
            await connection.connect()
        except (OSError, KafkaError):
            return False
        finally:
            await connection.close()  # aiokafka does not wait: TLS says goodbye first, and the loop ends with the test
        return True

    assert not await connects()
    put("new", expired=False)
    assert await connects()
    cert.write_text("torn")
    assert await connects(), "what was before stays in force"


def test_explain_says_nothing_of_other_errors() -> None:
    """They keep their own words."""
    assert explain(TimeoutError("late")) == ""
