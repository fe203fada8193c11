"""A value for every setting, other than its default, made from the model: as text, in TOML, and as loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from sori.settings import Settings
from sori.settings.catalogue import Setting, settings_of
from sori.settings.kafka_login import STAGES

SETTINGS = list(settings_of(Settings))


def _kafka_companions() -> dict[str, dict[str, Any]]:
    """A login's settings come in pairs, and with a protocol that uses them."""
    password = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}
    token = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "oauth_token_url": "https://idp/token"}
    client = {**token, "oauth_client_id": "me", "oauth_client_secret": "hush"}
    certificate = {"security_protocol": "SSL"}
    login: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "sasl_username": (password, {"sasl_password": "hush"}),
        "sasl_password": (password, {"sasl_username": "me"}),
        "tls_cert": (certificate, {"tls_key": "key.pem"}),
        "tls_key": (certificate, {"tls_cert": "cert.pem"}),
        "tls_key_password": (certificate, {"tls_cert": "cert.pem", "tls_key": "key.pem"}),
        "oauth_client_id": (token, {"oauth_client_secret": "hush"}),
        "oauth_client_secret": (token, {"oauth_client_id": "me"}),
        "oauth_token_path": (token, {}),
    }
    return {
        "kafka.sasl_mechanism": {
            "kafka": {"security_protocol": "SASL_SSL", "sasl_username": "me", "sasl_password": "hush"}
        },
        "kafka.tls_ca": {"kafka": certificate},
        "kafka.oauth_token_url": {"kafka": {k: v for k, v in client.items() if k != "oauth_token_url"}},
        "kafka.oauth_scope": {"kafka": client},
        **{f"kafka.{name}": {"kafka": {**group, **rest}} for name, (group, rest) in login.items()},
        **{
            f"kafka.{stage}.{name}": {"kafka": {**group, stage: rest}}
            for name, (group, rest) in login.items()
            for stage in STAGES
        },
    }


#: Settings whose text has a form of its own.
TEXTS: Mapping[str, str] = {
    "notify.allow_networks": "10.0.0.0/8,192.168.0.0/16",
    "api.public_url": "https://sori.example.com",
}
#: What must be set too, or the whole is refused.
COMPANIONS: Mapping[str, dict[str, Any]] = {
    "ingest.tls_cert": {"ingest": {"tls_key": "key.pem"}},
    "ingest.tls_key": {"ingest": {"tls_cert": "cert.pem"}},
    "streams.standby": {"streams": {"instance_id": "streams-0"}},
    "clickhouse.events_days": {"sinks": {"repair_lookback_s": 3600.0}},
    "clickhouse.windows_days": {"clickhouse": {"events_days": 1}, "sinks": {"repair_lookback_s": 3600.0}},
    "clickhouse.rollups_days": {
        "clickhouse": {"events_days": 1, "windows_days": 1},
        "sinks": {"repair_lookback_s": 3600.0},
    },
    **{
        f"clickhouse.rollups_{level}_days": {
            "clickhouse": {"events_days": 1, "windows_days": 1, **dict.fromkeys(finer, 1)},
            "sinks": {"repair_lookback_s": 3600.0},
        }
        for level, finer in (
            ("5m", ()),
            ("1h", ("rollups_5m_days",)),
            ("1d", ("rollups_5m_days", "rollups_1h_days")),
        )
    },
    "clickhouse.cold_days": {"clickhouse": {"cold_volume": "cold"}},
    "clickhouse.cold_volume": {"clickhouse": {"cold_days": 7}},
    "ingest.max_body_bytes": {"ingest": {"max_buffered_bytes": 2**30}},
    **_kafka_companions(),
}


@dataclass(frozen=True)
class Sample:
    """One value in each of its forms."""

    text: str
    toml: str
    value: Any


def sample(setting: Setting) -> Sample:
    """A value that the setting takes and that is not its default, unless there is no other."""
    default = setting.field.get_default(call_default_factory=True)
    kinds = [kind for kind in get_args(setting.field.annotation) or [setting.field.annotation] if kind is not NoneType]
    if setting.table:
        value = {"acc,1": {"geo_hop": {"windows": 3}}}
        return Sample(json.dumps(value), '{"acc,1" = {geo_hop = {windows = 3}}}', value)
    if get_origin(setting.field.annotation) is tuple:
        parts = (7.0, 8.5) if kinds[0] is float else ("one", "two")
        return Sample(", ".join(map(str, parts)), json.dumps(parts), parts)
    if get_origin(setting.field.annotation) is Literal:
        other = str(next((kind for kind in kinds if kind != default), default))
        return Sample(other, f'"{other}"', other)
    if isinstance(default, bool):
        return Sample(str(not default).lower(), str(not default).lower(), not default)
    if default is None and kinds[0] in {int, float}:
        default = kinds[0](2)
    if isinstance(default, int | float):
        number = _number(setting, default)
        return Sample(str(number), str(number), number)
    text = TEXTS.get(setting.name, "some-text")
    is_path = any(kind is Path or Path in get_args(kind) for kind in kinds)
    return Sample(text, f'"{text}"', Path(text) if is_path else text)


def _number(setting: Setting, default: float) -> float:
    """Near the default, within the field's bounds."""
    step = 1 if isinstance(default, int) else 0.25 * default or 0.5
    candidates = (default + step, default - step)
    bounds = setting.field.metadata

    def fits(number: float) -> bool:
        return all(number <= getattr(b, "le", number) and number < getattr(b, "lt", number + 1) for b in bounds)

    return next(number for number in candidates if fits(number))
