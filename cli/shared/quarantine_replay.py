"""Replays from quarantine for the API, which knows nothing of admission, and where ClickHouse says that a body is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.shared.query_options import asking
from sori.errors import PrerequisiteError, SoriError, StorageUnavailable
from sori.quarantine import UNKNOWN, Known

if TYPE_CHECKING:
    from sori.settings import Settings


def replayer(
    settings: Settings,
) -> Callable[[Collection[str], frozenset[str] | None, Known], Awaitable[dict[str, Any]]]:
    """Ids, the accounts that may be touched (None: every one) and what a database knows of the topic, to what landed
    and what is still refused."""
    from ingest.quarantine.replay import Replay, read_held, replay

    async def again(ids: Collection[str], accounts: frozenset[str] | None, known: Known) -> dict[str, Any]:
        wanted = set(ids)
        held = [
            one
            for one in await read_held(settings, wanted, settings.api.query_timeout_s, known)
            if one.id in wanted and (accounts is None or one.account in accounts)
        ]
        try:
            done = await replay(settings, held) if held else Replay()
        except PrerequisiteError as error:  # it judges as the ingress does, and lacks the ingress's settings here
            raise StorageUnavailable(f"this API cannot replay: {error}") from error
        gone = wanted - {one.id for one in held}
        return {
            "landed": [one.id for one in done.landed],
            "refused": [
                *({"id": one.id, "detail": refused.detail} for one, refused in done.refused),
                *({"id": one, "detail": "no longer held"} for one in sorted(gone)),
            ],
        }

    return again


def where(beginnings: Collection[str], config: Path | None, data_dir: Path | None) -> Known:
    """What the database knows of held events whose ids begin so; nothing, unless it knows one of each beginning."""
    from api.console.quarantine import where_held
    from api.query.ctr_sql import quote
    from api.query.engine import rows
    from api.query.questions import answer

    if not beginnings:
        return UNKNOWN
    asked = where_held(" OR ".join(f"startsWith(id, {quote(one)})" for one in beginnings))
    try:
        with asking(config, data_dir, None) as engine:
            known = answer(asked, partial(rows, engine))
    except SoriError:  # Kafka alone tells all of it, only later
        return UNKNOWN
    return known if all(any(one.startswith(text) for one in known.rows) for text in beginnings) else UNKNOWN
