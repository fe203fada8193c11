"""A real SMTP server, and what it was given."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

USER, PASSWORD = "alerts", "open sesame"


@dataclass
class Mailbox:
    """Keeps what comes. `refused`: recipients it does not know; `busy`: how many messages it turns away at first."""

    refused: frozenset[str] = frozenset()
    busy: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    rejections: int = 0
    port: int = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        server: object,  # noqa: ARG002 - of every hook
        session: object,  # noqa: ARG002 - same
        envelope: Any,
        address: str,
        options: object,  # noqa: ARG002 - same
    ) -> str:
        """Whether that recipient is known."""
        if address in self.refused:
            self.rejections += 1
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802, ARG002 - same
        """Take a message, unless it is busy."""
        if self.busy > 0:
            self.busy -= 1
            self.rejections += 1
            return "451 try again later"
        mail = message_from_bytes(envelope.content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"

    @property
    def ids(self) -> list[str]:
        """The Message-IDs, in the order in which they came."""
        return [mail["Message-ID"] for mail in self.mails]

    @asynccontextmanager
    async def running(self, *, tls: ssl.SSLContext | None = None, login: bool = False) -> AsyncIterator[Mailbox]:
        """Listen on a free loopback port while the block runs."""
        options: dict[str, Any] = {"tls_context": tls, "require_starttls": tls is not None}
        if login:
            options |= {"authenticator": _authenticate, "auth_required": True, "auth_require_tls": tls is not None}
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, loop=loop, **options), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()


def _authenticate(_server: object, _session: object, _envelope: object, _mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)
