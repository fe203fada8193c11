"""Logins to Kafka: whole, of one user each, and never off by accident."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sori.errors import ConfigError
from sori.settings.kafka import KafkaSettings
from sori.settings.kafka_login import STAGES

SASL = {"security_protocol": "SASL_SSL"}
TOKEN = {**SASL, "sasl_mechanism": "OAUTHBEARER"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"sasl_username": "me", "sasl_password": "hush"}, r"kafka\.sasl_password is of no use with .*PLAINTEXT"),
        ({"ingest": {"sasl_username": "me", "sasl_password": "hush"}}, r"kafka\.ingest\.sasl_password is of no use"),
        ({"tls_ca": "ca.pem"}, r"kafka\.tls_ca is of no use"),
        ({"sasl_mechanism": "SCRAM-SHA-512"}, r"kafka\.sasl_mechanism is of no use"),
        ({**SASL, "sasl_username": "me"}, r"kafka\.sasl_username and kafka\.sasl_password are set together"),
        ({**SASL, "api": {"sasl_password": "x"}}, r"kafka\.api\.sasl_username and kafka\.api\.sasl_password"),
        (SASL, r"PLAIN needs kafka\.sasl_username and kafka\.sasl_password"),
        (TOKEN, r"OAUTHBEARER needs kafka\.oauth_token_path, or kafka\.oauth_client_id"),
        (
            {**TOKEN, "sasl_username": "me", "sasl_password": "x"},
            r"kafka\.sasl_username is of no use with .*OAUTHBEARER",
        ),
        ({**TOKEN, "oauth_client_id": "me", "oauth_client_secret": "x"}, r"needs kafka\.oauth_token_url"),
        ({**SASL, "sasl_username": "me", "sasl_password": ""}, r"is empty; leave it out"),
        ({**SASL, "sasl_username": "me", "sasl_password": "CHANGE-ME"}, r"is the placeholder"),
        ({"security_protocol": "SSL", "tls_cert": "c.pem"}, r"kafka\.tls_cert and kafka\.tls_key are set together"),
        (
            {"security_protocol": "SSL", "tls_key_password": "x"},
            r"kafka\.tls_key_password is set without kafka\.tls_key",
        ),
    ],
)
def test_a_login_that_would_not_protect_is_refused(given: dict[str, Any], told: str) -> None:
    """Each with the settings that contradict each other."""
    with pytest.raises(ValidationError, match=told):
        KafkaSettings(**given)


def test_a_stage_is_one_user_whole() -> None:
    """Its own user never meets the group's password, principal or certificate key."""
    group = {**SASL, "sasl_username": "all", "sasl_password": "of-all", "principal": "User:everybody"}
    kafka = KafkaSettings(
        **group, ingest={"sasl_username": "in", "sasl_password": "of-in"}, api={"principal": "reader"}
    )
    ingest, streams = kafka.of("ingest"), kafka.of("streams")
    assert (ingest.sasl_username, ingest.sasl_password, ingest.acl_principal) == ("in", "of-in", "User:in")
    assert ingest.user_setting == "kafka.ingest.sasl_username"
    assert (streams.sasl_username, streams.acl_principal) == ("all", "User:everybody")
    assert streams.user_setting == "kafka.sasl_username"
    assert kafka.principal_of("api") == "User:reader"
    assert ingest.of("ingest") == ingest


def test_where_every_stage_has_its_own_user_a_stage_without_one_is_told() -> None:
    """But only that one: a file for one stage needs no other's."""
    kafka = KafkaSettings(**SASL, ingest={"sasl_username": "in", "sasl_password": "of-in"})
    assert kafka.of("ingest").sasl_username == "in"
    for stage in set(STAGES) - {"ingest"}:
        with pytest.raises(ConfigError, match=rf"needs kafka\.{stage}\.sasl_username"):
            kafka.of(stage)
        assert kafka.principal_of(stage) == "User:ANONYMOUS"


def test_secrets_are_not_shown() -> None:
    """In a log or a traceback."""
    client = {"oauth_client_id": "me", "oauth_client_secret": "hush", "oauth_token_url": "https://idp"}
    certificate = {"tls_cert": Path("c"), "tls_key": Path("k"), "tls_key_password": "hush"}
    shown = repr(KafkaSettings(**TOKEN, **client, streams={**certificate}))
    assert "hush" not in shown
    assert "hush" not in repr(KafkaSettings(**SASL, sasl_username="me", sasl_password="hush"))
