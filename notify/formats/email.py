"""An e-mail about one alert, or a digest of several. From and To are the sender's matter."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from notify.formats.telling import Telling, telling_of
from sori.alerting.alert import RANK

_DOMAIN = "alerts.sori.invalid"
_MOST_SUBJECT = 250


def email(told: Telling) -> bytes:
    """One alert's state. Mails of one incident refer to one message, so that readers show them as one thread."""
    lines = [f"{told.headline}.", "", *_facts(told)]
    if told.link:
        lines += ["", f"Open it: {told.link}"]
    lines += ["", *told.ids.split(", ", 1)]
    message = _message(told.headline, told.alert.message_id, told.timestamp, lines)
    thread = f"<{_token(told.incident)}@{_DOMAIN}>"
    message["In-Reply-To"], message["References"] = thread, thread
    return bytes(message)


def digest(values: Sequence[tuple[bytes, str]], public_url: str = "") -> bytes:
    """Several alerts, each with its newest state only, the gravest first. Values are records and their timestamps."""
    newest: dict[str, Telling] = {}
    for value, timestamp in values:
        told = telling_of(value, timestamp, public_url)
        before = newest.get(told.alert.alert_id)
        if before is None or told.alert.version >= before.alert.version:
            newest[told.alert.alert_id] = told
    ordered = sorted(newest.values(), key=lambda told: (told.ended, -RANK.get(told.alert.severity, 0)))
    incidents = len({told.incident for told in ordered})
    running = sum(not told.ended for told in ordered)
    first = ordered[0]
    alerts = sum(told.what == "alert" for told in ordered)
    counts = (
        f"{_many(alerts, 'fraud alert')} in {_many(incidents, 'incident')}" if alerts else _many(incidents, "incident")
    )
    counts += f", {running} still open"
    lines = [f"{counts}."]
    for told in ordered:
        lines += [
            "",
            f"- {told.headline}",
            f"  account {told.facts['Account']}, {told.facts.get('Window') or told.facts['Time']}",
        ]
        lines += [f"  {told.link}"] if told.link else []
    ids = " ".join(telling_of(value, "").alert.message_id for value, _ in values)
    return bytes(_message(f"{counts}; {first.headline}", f"digest {ids}", values[-1][1], lines))


def _message(subject: str, message_id: str, timestamp: str, lines: Sequence[str]) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject if len(subject) <= _MOST_SUBJECT else subject[: _MOST_SUBJECT - 1] + "…"
    message["Date"] = format_datetime(datetime.fromisoformat(timestamp))
    message["Message-ID"] = f"<{_token(message_id)}@{_DOMAIN}>"
    message["Auto-Submitted"] = "auto-generated"  # no out-of-office answers
    message.set_content("\n".join(lines) + "\n")
    return message


def _facts(told: Telling) -> list[str]:
    width = max(map(len, told.facts))
    return [f"{name + ':':<{width + 1}} {value}" for name, value in told.facts.items()]


def _token(text: str) -> str:
    """A part of a message's id: the same for the same text, with nothing in it that a header could break on."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
