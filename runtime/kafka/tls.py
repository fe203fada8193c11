"""TLS to Kafka, with certificates that may be renewed under a running client."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import structlog

from sori.errors import ConfigError
from sori.settings.kafka import KafkaSettings

_log = structlog.get_logger(__name__)


class RenewedContext(ssl.SSLContext):
    """Reads its files again before a handshake when one of them changed: clients live longer than certificates."""

    kafka: KafkaSettings
    seen: tuple[tuple[Path, int], ...] = ()

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Called by asyncio and uvloop for each connection."""
        if self.seen != _versions(self.kafka):
            try:
                _load(self, self.kafka)
            except ConfigError as error:
                _log.warning("kafka_certificate_refused", error=str(error), hint="what was before stays in force")
        return super().wrap_bio(*args, **kwargs)


def make_context(kafka: KafkaSettings) -> ssl.SSLContext:
    """The context that the settings ask for. Raises ConfigError naming the setting whose file is of no use."""
    context = RenewedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = kafka.tls_check_hostname
    context.kafka = kafka
    if kafka.tls_ca is None:
        context.load_default_certs()
    _load(context, kafka)
    return context


def _load(context: RenewedContext, kafka: KafkaSettings) -> None:
    seen = _versions(kafka)
    if kafka.tls_ca is not None:
        try:
            context.load_verify_locations(kafka.tls_ca)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(
                f"kafka.tls_ca: {kafka.tls_ca} holds no certificates that can be read: {error}"
            ) from error
    if kafka.tls_cert is not None:
        setting = kafka.user_setting if not kafka.sasl else "kafka.tls_cert"
        try:
            # a pair that does not fit would leave the context half changed: try it on a fresh one first
            for each in (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), context):
                each.load_cert_chain(kafka.tls_cert, kafka.tls_key, lambda: kafka.tls_key_password or "")
        except OSError as error:
            raise ConfigError(f"{setting}: {kafka.tls_cert} with key {kafka.tls_key}: {error}") from error
    context.seen = seen


def _versions(kafka: KafkaSettings) -> tuple[tuple[Path, int], ...]:
    files = [file for file in (kafka.tls_ca, kafka.tls_cert, kafka.tls_key) if file is not None]
    return tuple((file, file.stat().st_mtime_ns if file.exists() else 0) for file in files)
