"""Microsoft Teams: an Adaptive Card, as the webhook of a Teams workflow takes it.

The workflow's template "Send webhook alerts to a channel" posts the first card of `attachments`. Markdown in a card's
text is escaped, and mentions need an entity that we never send.
"""

from __future__ import annotations

import re

import orjson

from notify.formats.telling import Telling

_MARKDOWN = re.compile(r"([\\`*_\[\]()#~<>])")
_COLOURS = {"low": "default", "medium": "warning", "high": "attention", "critical": "attention"}


def teams(told: Telling) -> bytes:
    """One message with one card, version 1.4: what desktop and phones show alike."""
    colour = "good" if told.ended else _COLOURS.get(told.alert.severity, "default")
    headline = {"type": "TextBlock", "text": _text(told.headline), "wrap": True, "weight": "bolder", "color": colour}
    facts = [{"title": name, "value": _text(value)} for name, value in told.facts.items()]
    last = {
        "type": "TextBlock",
        "text": _text(told.ids),
        "isSubtle": True,
        "size": "small",
        "wrap": True,
    }
    card: dict[str, object] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": told.headline,
        "msteams": {"width": "Full"},
        "body": [headline, {"type": "FactSet", "facts": facts}, last],
    }
    if told.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": f"Open the {told.what}", "url": told.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return orjson.dumps({"type": "message", "summary": told.headline, "attachments": [attachment]})


def _text(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)
