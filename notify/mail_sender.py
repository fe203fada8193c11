"""One attempt to deliver one e-mail, by the SMTP server of the settings."""

from __future__ import annotations

import ssl
import time
from email import message_from_bytes
from email.policy import SMTP as SMTP_POLICY

import aiosmtplib
import structlog

from notify.retry_policy import Outcome
from sori.alerting.mail import recipients
from sori.alerting.subscriptions import Subscription
from sori.errors import ConfigError
from sori.settings.notify import NotifySettings

_log = structlog.get_logger(__name__)

#: The first that fits names the error.
_WORDS: tuple[tuple[str, tuple[type[BaseException], ...]], ...] = (
    ("wrong_password", (aiosmtplib.SMTPAuthenticationError,)),
    ("refused_recipient", (aiosmtplib.SMTPRecipientsRefused,)),
    ("refused_sender", (aiosmtplib.SMTPSenderRefused,)),
    ("tls", (ssl.SSLError, ssl.CertificateError)),
    ("timeout", (TimeoutError, aiosmtplib.SMTPTimeoutError)),
    ("disconnected", (aiosmtplib.SMTPServerDisconnected,)),
    ("connect", (aiosmtplib.SMTPConnectError, OSError)),
)


class MailSender:
    """Hands messages to the server; a message may arrive more than once, with the same Message-ID.

    Never raises for what server or recipients do: that is an outcome. Every failure is tried again, since a full or
    mistyped mailbox says nothing about one alert. Where some of several recipients are refused, the others have it.
    """

    def __init__(self, settings: NotifySettings) -> None:
        self._settings = settings
        self._context: ssl.SSLContext | None = None

    async def attempt(self, subscription: Subscription, body: bytes) -> Outcome:
        """Send once. `body`: a message without From and To."""
        started, error = time.monotonic(), ""
        try:
            await self._send(subscription, body)
        except ConfigError:
            error = "forbidden_url"
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as raised:
            error = _word(raised)
            _log.warning("mail_not_sent", subscription=subscription.id, error=error, reason=str(raised)[:200])
        return Outcome(None if error else 250, error, None, time.monotonic() - started)

    async def _send(self, subscription: Subscription, body: bytes) -> None:
        settings = self._settings
        to = recipients(subscription.url, settings.allowed_mail_domains)
        if not settings.smtp_host:
            raise aiosmtplib.SMTPConnectError("notify.smtp_host is not set")
        message = message_from_bytes(body, policy=SMTP_POLICY)
        sender = settings.smtp_from or settings.smtp_username
        message["From"], message["To"] = sender, ", ".join(to)
        client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username or None,
            password=settings.smtp_password or None,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            tls_context=self._tls() if settings.smtp_tls != "off" else None,
            timeout=settings.timeout_s,
        )
        async with client:
            refused, _ = await client.sendmail(sender, to, bytes(message))
        if refused:
            _log.warning("mail_recipients_refused", subscription=subscription.id, refused=len(refused), of=len(to))

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._settings.smtp_ca or None)
        return self._context


def _word(error: BaseException) -> str:
    chain: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None and seen not in chain:
        chain.append(seen)
        seen = seen.__cause__ or seen.__context__
    for word, kinds in _WORDS:
        if any(isinstance(part, kinds) for part in chain):
            return word
    return "protocol"
