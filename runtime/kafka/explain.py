"""Why Kafka refuses us, in words that name the topic, the right and the setting."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from aiokafka import errors
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.protocol.metadata import MetadataRequest

from runtime.kafka.security import security_options
from sori.errors import ConfigError
from sori.settings.kafka import KafkaSettings

_TIMEOUT_S = 3.0
_RIGHTS = "; `sori topics acls` prints what each stage needs"


def explain(error: BaseException) -> str:
    """A refusal of Kafka's in our words; empty when it is none."""
    subject = ", ".join(sorted(error.args[0])) if error.args and isinstance(error.args[0], set) else str(error)
    subject = subject.partition("] ")[2] or subject  # aiokafka's "[Error 29] "
    subject = subject.partition(": ")[2] or subject
    if isinstance(error, errors.TopicAuthorizationFailedError):
        return f"our user has not the right to topic {subject}{_RIGHTS}"
    if isinstance(error, errors.GroupAuthorizationFailedError):
        return f"our user has not the right READ on consumer group {subject}{_RIGHTS}"
    if isinstance(error, errors.ClusterAuthorizationFailedError):
        # what a producer is told that may write nowhere, too
        return f"our user has neither the right WRITE on any topic of ours nor this one on the cluster{_RIGHTS}"
    return ""


async def why_unreachable(kafka: KafkaSettings) -> str:
    """Try to connect once more, to each server until one says why not; never raises, bounded in time."""
    reason = ""
    for host, port, _ in collect_hosts(kafka.bootstrap):
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await _connect(host, port, kafka)
        except ConfigError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the reason
            reason = reason or f"{host}:{port}: {_reason(error, kafka)}"
    return reason


async def _connect(host: str, port: int, kafka: KafkaSettings) -> None:
    options = security_options(kafka)
    connection = await create_conn(host, port, request_timeout_ms=int(_TIMEOUT_S * 1000), **options)
    try:
        if not await _listened_to(connection):
            raise errors.SaslAuthenticationFailed("it takes no request after the login")
    finally:
        connection.close()


async def _listened_to(connection: Any) -> bool:
    """Whether we are in: aiokafka takes the refusal of a token for a success, and the next request is not answered."""
    try:
        return bool((await connection.send(MetadataRequest([]))).brokers)
    except errors.KafkaConnectionError:
        return False


def _reason(error: BaseException, kafka: KafkaSettings) -> str:
    # TLS 1.3 tells a refused client certificate only after the handshake, as the cause of a closed connection
    error = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    if isinstance(error, ssl.SSLError):
        return _of_tls(error, kafka)
    refused = isinstance(error, errors.AuthenticationFailedError | errors.SaslAuthenticationFailed)
    if refused and kafka.sasl:
        return f"Kafka refuses the login: {_words(error)}; check {kafka.user_setting} and what proves it"
    if isinstance(error, errors.UnsupportedSaslMechanismError):
        return f"{_words(error)}; correct kafka.sasl_mechanism"
    if isinstance(error, errors.IllegalSaslStateError):
        return "this listener asks for no login; correct kafka.security_protocol, or the port in kafka.bootstrap"
    closed = isinstance(error, errors.KafkaConnectionError) and str(error).endswith("closed")
    if refused or closed or isinstance(error, ConnectionResetError):
        return f"the server ends the connection; it may not speak kafka.security_protocol = {kafka.security_protocol}"
    return _words(error)


def _of_tls(error: ssl.SSLError, kafka: KafkaSettings) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error)
    text = error.reason or str(error)
    if "EXPIRED" in text:
        return f"Kafka says that our certificate has expired; renew {kafka.tls_cert} (kafka.tls_cert)"
    if "ALERT" in text:
        return f"Kafka refuses our certificate ({text}); check kafka.tls_cert and kafka.tls_key"
    return f"no TLS there ({text}); correct kafka.security_protocol, or the port in kafka.bootstrap"


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    if "expired" in error.verify_message:
        return f"the broker's certificate has expired ({error.verify_message}); it must be renewed there"
    if "ostname" in error.verify_message or "IP address" in error.verify_message:
        return f"{error.verify_message}; connect by a name in it, or set kafka.tls_check_hostname = false"
    return f"the broker's certificate is not trusted ({error.verify_message}); set kafka.tls_ca to what signed it"


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
