"""How a client proves to Kafka who it is: the one place where settings become options of aiokafka and of Faust."""

from __future__ import annotations

from typing import Any

from runtime.kafka.tls import make_context
from runtime.kafka.tokens import make_provider
from sori.settings.kafka import KafkaSettings


def connection_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Where Kafka is and as whom we come, for any client of aiokafka; an OAuth provider is shared by nobody.

    Raises ConfigError when a file of the settings is of no use.
    """
    return {"bootstrap_servers": kafka.bootstrap, **security_options(kafka)}


def security_options(kafka: KafkaSettings) -> dict[str, Any]:
    """The security part alone. Raises ConfigError."""
    options: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.tls:
        options["ssl_context"] = make_context(kafka)
    if not kafka.sasl:
        return options
    options["sasl_mechanism"] = kafka.sasl_mechanism
    if kafka.sasl_mechanism == "OAUTHBEARER":
        return {**options, "sasl_oauth_token_provider": make_provider(kafka)}
    return {**options, "sasl_plain_username": kafka.sasl_username, "sasl_plain_password": kafka.sasl_password}
