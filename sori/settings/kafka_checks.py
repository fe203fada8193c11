"""Settings of Kafka's security that contradict each other: whoever wrote one believes that it protects something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sori.settings.kafka_login import STAGES, KafkaLogin

if TYPE_CHECKING:
    from sori.settings.kafka import KafkaSettings

_TOGETHER = (("sasl_username", "sasl_password"), ("tls_cert", "tls_key"), ("oauth_client_id", "oauth_client_secret"))
_CERTIFICATE = ("tls_cert", "tls_key", "tls_key_password")
_PASSWORD = ("sasl_username", "sasl_password")
_TOKEN = ("oauth_client_id", "oauth_client_secret", "oauth_token_path")


def contradictions(kafka: KafkaSettings) -> list[str]:
    """What is wrong, one message each; all logins are looked at, that of the group and those of the stages."""
    logins = {"kafka": kafka, **{f"kafka.{stage}": kafka.login_of(stage) for stage in STAGES}}
    found = [text for place, login in logins.items() for text in (*_halves(login, place), *_idle(kafka, login, place))]
    found += _idle_of_group(kafka)
    own = any(kafka.login_of(stage).proof() for stage in STAGES)
    lacking = "" if own else missing(kafka, "kafka")
    return [*found, lacking] if lacking and not found else found


def missing(kafka: KafkaSettings, place: str) -> str:
    """What the login in force lacks for the protocol; empty when it is whole."""
    if not kafka.sasl:
        return ""
    asked = f"kafka.sasl_mechanism = {kafka.sasl_mechanism} needs"
    if kafka.sasl_mechanism != "OAUTHBEARER":
        return "" if kafka.sasl_username else f"{asked} {place}.sasl_username and {place}.sasl_password"
    if kafka.oauth_token_path is None and kafka.oauth_client_id is None:
        return f"{asked} {place}.oauth_token_path, or {place}.oauth_client_id and {place}.oauth_client_secret"
    if kafka.oauth_client_id is not None and not kafka.oauth_token_url:
        return f"{place}.oauth_client_id needs kafka.oauth_token_url"
    return ""


def _halves(login: KafkaLogin, place: str) -> Iterator[str]:
    for one, other in _TOGETHER:
        if (getattr(login, one) is None) != (getattr(login, other) is None):
            yield f"{place}.{one} and {place}.{other} are set together"
    if login.tls_key_password and not login.tls_key:
        yield f"{place}.tls_key_password is set without {place}.tls_key"
    if login.oauth_token_path and login.oauth_client_id:
        yield f"{place}.oauth_token_path and {place}.oauth_client_id exclude each other"


def _idle(kafka: KafkaSettings, login: KafkaLogin, place: str) -> Iterator[str]:
    """Proofs that would never be shown."""
    protocol = f"kafka.security_protocol = {kafka.security_protocol}"
    if not kafka.tls:
        yield from _none_of(_CERTIFICATE, login, place, protocol)
    if not kafka.sasl:
        yield from _none_of((*_PASSWORD, *_TOKEN), login, place, protocol)
    else:
        unused = _PASSWORD if kafka.sasl_mechanism == "OAUTHBEARER" else _TOKEN
        yield from _none_of(unused, login, place, f"kafka.sasl_mechanism = {kafka.sasl_mechanism}")


def _idle_of_group(kafka: KafkaSettings) -> list[str]:
    protocol = f"kafka.security_protocol = {kafka.security_protocol}"
    idle = ["tls_ca"] if kafka.tls_ca and not kafka.tls else []
    idle += ["sasl_mechanism"] if not kafka.sasl and kafka.sasl_mechanism != "PLAIN" else []
    if not (kafka.sasl and kafka.sasl_mechanism == "OAUTHBEARER"):
        idle += [name for name in ("oauth_token_url", "oauth_scope") if getattr(kafka, name)]
    return [f"kafka.{name} is of no use with {protocol}" for name in idle]


def _none_of(names: tuple[str, ...], login: KafkaLogin, place: str, why: str) -> Iterator[str]:
    for name in names:
        if getattr(login, name) is not None:
            yield f"{place}.{name} is of no use with {why}"
