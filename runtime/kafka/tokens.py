"""Bearer tokens for SASL OAUTHBEARER: from a file, or from an identity provider by client credentials (RFC 6749)."""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from pathlib import Path
from urllib.parse import quote_plus

import aiohttp
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaError

from sori.settings.kafka import KafkaSettings

_TIMEOUT_S = 5.0
#: A token is asked for anew when less than this part of its life is left.
_REST = 0.2


def make_provider(kafka: KafkaSettings) -> AbstractTokenProvider:
    """What the settings name."""
    return ClientToken(kafka) if kafka.oauth_token_path is None else FileToken(kafka.oauth_token_path)


class FileToken(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka ships no types
    """Whoever writes the file renews the token; it is read at each login."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """The token. Raises KafkaError where the file gives none."""
        try:
            text = (await asyncio.to_thread(self._path.read_text, encoding="ascii")).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise KafkaError(f"the token file {self._path} cannot be read: {error}") from error
        if not text:
            raise KafkaError(f"the token file {self._path} is empty")
        return text


class ClientToken(AbstractTokenProvider):  # type: ignore[misc]  # same
    """Asks the identity provider, and keeps the token for most of its life."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._kept = ""
        self._until = 0.0

    async def token(self) -> str:
        """The token. Raises KafkaError with the provider's own words where it gives none."""
        if time.monotonic() >= self._until:
            self._kept, life_s = await self._ask()
            self._until = time.monotonic() + life_s * (1 - _REST)
        return self._kept

    async def _ask(self) -> tuple[str, float]:
        kafka = self._kafka
        form = {"grant_type": "client_credentials", **({"scope": kafka.oauth_scope} if kafka.oauth_scope else {})}
        # RFC 6749, 2.3.1: each part is form-encoded before they are joined
        proof = f"{quote_plus(kafka.oauth_client_id or '')}:{quote_plus(kafka.oauth_client_secret or '')}"
        headers = {"Authorization": f"Basic {base64.b64encode(proof.encode()).decode()}"}
        try:
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(kafka.oauth_token_url, data=form, headers=headers, ssl=_trust(kafka)) as answer,
            ):
                if answer.status != 200:
                    raise KafkaError(f"{kafka.oauth_token_url} answers {answer.status}: {(await answer.text())[:300]}")
                body = await answer.json(content_type=None)
                return str(body["access_token"]), float(body.get("expires_in", 0))
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise KafkaError(f"no token from {kafka.oauth_token_url}: {error!r}") from error


def _trust(kafka: KafkaSettings) -> ssl.SSLContext:
    """The system's authorities, and the one of the brokers: a company often has one for both."""
    context = ssl.create_default_context()
    if kafka.tls_ca is not None:
        context.load_verify_locations(kafka.tls_ca)
    return context
