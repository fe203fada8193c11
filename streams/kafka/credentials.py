"""The same login for Faust, whose clients are not made by our factory."""

from __future__ import annotations

from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from runtime.kafka.security import security_options
from sori.settings.kafka import KafkaSettings


def faust_credentials(kafka: KafkaSettings) -> CredentialsT | None:
    """What `broker_credentials` takes; None where nobody is named. Raises ConfigError."""
    options = security_options(kafka)
    context = options.get("ssl_context")
    if (provider := options.get("sasl_oauth_token_provider")) is not None:
        return OAuthCredentials(oauth_cb=provider, ssl_context=context)
    if kafka.sasl:
        return SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password,
            ssl_context=context,
            mechanism=kafka.sasl_mechanism,
        )
    return None if context is None else SSLCredentials(context)
