"""The real broker as companies run it: TLS, client certificates, users by every SASL mechanism, and rights.

One broker with a listener per way in; the plain one of the broker itself is its superuser's.
"""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Self

from broker.process import EmbeddedBroker
from runtime.process.ports import LOOPBACK, free_ports
from testkit.certificates import Authority, Pair

#: Users by name; one for each stage, `admin` is a superuser.
PASSWORDS = {name: f"password-of-{name}" for name in ("ingest", "streams", "sinks", "notify", "api", "admin")}
_LISTENERS = ("SASL", "MTLS", "BADCERT", "SASLPLAIN")
_SASL_CLASS = "org.apache.kafka.common.security"


class SecureKafka:
    """The rig; use as `async with SecureKafka(folder) as kafka`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.authority = Authority(folder / "authority")
        self.ports = dict(zip(_LISTENERS, free_ports(len(_LISTENERS)), strict=True))
        scram = [f"SCRAM-SHA-{bits}=[name=admin,password={PASSWORDS['admin']}]" for bits in (256, 512)]
        self.broker = EmbeddedBroker(
            folder / "kafka",
            heap_mb=256,
            properties=self._properties(),
            format_options=[word for each in scram for word in ("--add-scram", each)],
        )

    async def __aenter__(self) -> Self:
        await self.broker.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.broker.stop()

    def bootstrap(self, listener: str) -> str:
        """Address of a listener."""
        return f"{LOOPBACK}:{self.ports[listener]}"

    def sasl(self, user: str = "admin", mechanism: str = "PLAIN", **more: object) -> dict[str, object]:
        """Settings of the group `kafka` that log a user in over TLS."""
        return {
            "bootstrap": self.bootstrap("SASL"),
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": mechanism,
            "tls_ca": self.authority.cert,
            "sasl_username": user,
            "sasl_password": PASSWORDS[user],
            **more,
        }

    def mtls(self, pair: Pair) -> dict[str, object]:
        """Settings that prove a client by its certificate."""
        return {
            "bootstrap": self.bootstrap("MTLS"),
            "security_protocol": "SSL",
            "tls_ca": self.authority.cert,
            "tls_cert": pair.cert,
            "tls_key": pair.key,
        }

    def _properties(self) -> dict[str, str]:
        good = self.authority.issue("broker").both(self.folder / "broker.pem")
        bad = self.authority.issue("expired-broker", expired=True).both(self.folder / "expired.pem")
        listeners = ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in self.ports.items())
        users = " ".join(f'user_{name}="{password}"' for name, password in PASSWORDS.items())
        sasl = "listener.name.sasl"
        stores = {name: _stores(name, bad if name == "BADCERT" else good, self.authority.cert) for name in _LISTENERS}
        return {
            "listeners": listeners,
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "SASL:SASL_SSL,MTLS:SSL,BADCERT:SSL,SASLPLAIN:SASL_PLAINTEXT",
            **{key: value for store in stores.values() for key, value in store.items()},
            "listener.name.mtls.ssl.client.auth": "required",
            f"{sasl}.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            "listener.name.saslplain.sasl.enabled.mechanisms": "PLAIN",
            f"{sasl}.plain.sasl.jaas.config": f"{_SASL_CLASS}.plain.PlainLoginModule required {users};",
            "listener.name.saslplain.plain.sasl.jaas.config": f"{_SASL_CLASS}.plain.PlainLoginModule required {users};",
            **{
                f"{sasl}.scram-sha-{bits}.sasl.jaas.config": f"{_SASL_CLASS}.scram.ScramLoginModule required;"
                for bits in (256, 512)
            },
            f"{sasl}.oauthbearer.sasl.jaas.config": (
                f'{_SASL_CLASS}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
            ),
            f"{sasl}.oauthbearer.sasl.server.callback.handler.class": (
                f"{_SASL_CLASS}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS;User:admin",
        }


def _stores(listener: str, pem: Path, authority: Path) -> dict[str, str]:
    at = f"listener.name.{listener.lower()}.ssl"
    return {
        f"{at}.keystore.type": "PEM",
        f"{at}.keystore.location": str(pem),
        f"{at}.truststore.type": "PEM",
        f"{at}.truststore.location": str(authority),
    }


def unsigned_token(user: str, life_s: float = 300.0) -> str:
    """A bearer token as Kafka's validator for tests takes it: claims without a signature."""
    now = time.time()
    parts = ({"alg": "none"}, {"sub": user, "iat": now, "exp": now + life_s, "scope": "kafka"})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."
