"""Slack's incoming webhooks: text for the notification, one attachment with the details.

Such a webhook does not say which message it made, so no later one can be put into its thread: what belongs together
says so by the incident in its last line.
"""

from __future__ import annotations

import html

import orjson

from notify.formats.telling import Telling

_COLOURS = {"low": "#8a8d91", "medium": "#f2c744", "high": "#f2711c", "critical": "#d40e0d"}
_ENDED_COLOUR = "#3a9a5b"


def slack(told: Telling) -> bytes:
    """One message."""
    # verbatim: an address, a #channel or an @here in a device's id stays text
    fields = [
        {"type": "mrkdwn", "text": f"*{name}*\n{_text(value)[:1900]}", "verbatim": True}
        for name, value in told.facts.items()
    ]
    # a header takes 150 characters, a section takes the whole story
    blocks: list[dict[str, object]] = [
        {"type": "section", "text": {"type": "plain_text", "text": _text(told.headline)[:2900]}},
        {"type": "section", "fields": fields[:10]},
    ]
    if told.link:
        button = {"type": "button", "text": {"type": "plain_text", "text": f"Open the {told.what}"}, "url": told.link}
        blocks.append({"type": "actions", "elements": [button]})
    blocks.append({"type": "context", "elements": [{"type": "plain_text", "text": told.ids[:1900]}]})
    colour = _ENDED_COLOUR if told.ended else _COLOURS.get(told.alert.severity, "#8a8d91")
    attachment = {"color": colour, "blocks": blocks}
    return orjson.dumps({"text": _text(told.headline), "mrkdwn": False, "parse": "none", "attachments": [attachment]})


def _text(text: str) -> str:
    """Without anything that Slack would take for a mention or a link."""
    return html.escape(text, quote=False)
