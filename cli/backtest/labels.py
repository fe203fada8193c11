"""What analysts said of stored alerts, and how rules do by that, for `sori backtest --against-verdicts`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api.query.ctr_sql import time_literal
from api.query.engine import rows
from api.query.row_times import iso
from cli.backtest.score_report import Scored
from sori.errors import ConfigError
from sori.times import iso as iso_of
from streams.backtest.compare import opened_within
from streams.backtest.labels import Label, known_span_ms, scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.query.engine import Engine
    from sori.settings.streams import StreamsSettings
    from streams.backtest.device_hop import Alerts
    from streams.backtest.sources.history import Facts

#: From and until when, as alerts write times; None: no bound.
Moments = tuple[str | None, str | None]

_TIMES = ("opened_at", "updated_at", "closed_at")


def labels_of(engine: Engine, first_ms: int | None, last_ms: int | None) -> list[Label]:
    """Judged alerts opened in [first_ms, last_ms). Raises ConfigError where there are none, and QueryError."""
    found = [iso(row, _TIMES) for row in rows(engine, _labels_sql(first_ms, last_ms))]
    if not found:
        raise ConfigError(
            "no alert of this time was judged, so there is nothing to compare with: judge some by"
            " `sori verdict ID confirmed` or `sori verdict ID false-positive`, or choose another --since; "
            "`sori verdicts` lists what was said"
        )
    return [Label(row, row["verdict"]) for row in found]


def moments(first_ms: int | None, last_ms: int | None) -> Moments:
    """As alerts write times."""
    begin, end = (None if ms is None else iso_of(ms) for ms in (first_ms, last_ms))
    return begin, end


def known_span(facts: Facts, streams: StreamsSettings, first_ms: int | None, last_ms: int | None) -> Moments:
    """From when until when this history tells of the openings that were asked for."""
    begin_ms, end_ms = known_span_ms(facts, streams)
    begins, ends = ([ms for ms in pair if ms is not None] for pair in ((first_ms, begin_ms), (last_ms, end_ms)))
    return moments(max(begins, default=None), min(ends, default=None))


def counting(labels: Sequence[Label], span: Moments) -> list[Label]:
    """Labels of alerts that opened within."""
    return [label for label in labels if opened_within([label.alert], *span)]


def scored_by(labels: Sequence[Label], alerts: Sequence[Alerts], span: Moments) -> Scored:
    """The score of the rules in force, and of the new ones where there are any."""
    counted = counting(labels, span)
    names = ("current", "new")[: len(alerts)]
    sides = {name: scores(counted, found.values(), *span) for name, found in zip(names, alerts, strict=True)}
    return Scored(counted, len(labels) - len(counted), sides, *span)


def _labels_sql(first_ms: int | None, last_ms: int | None) -> str:
    """An alert's own verdict goes before that of its incident."""
    within = [
        f"opened_at {sign} {time_literal(datetime.fromtimestamp(ms / 1000, UTC))}"
        for sign, ms in ((">=", first_ms), ("<", last_ms))
        if ms is not None
    ]
    return f"""
        SELECT alert.alert_id AS alert_id, alert.account_id AS account_id, rule, subject_kind, subject, opened_at,
            updated_at, closed_at, said.verdict AS verdict
        FROM
        (
            SELECT alert_id, account_id, rule, subject_kind, subject, opened_at, updated_at, closed_at
            FROM alerts_current WHERE {" AND ".join(within) or "1"}
        ) AS alert
        INNER JOIN
        (
            SELECT account_id, target AS alert_id, verdict, 0 AS of_incident
            FROM verdicts_current WHERE target_kind = 'alert'
            UNION ALL
            SELECT account_id, arrayJoin(alert_ids) AS alert_id, judged.verdict AS verdict, 1 AS of_incident
            FROM incidents_current AS incident
            INNER JOIN
            (
                SELECT account_id, target AS incident_id, verdict FROM verdicts_current WHERE target_kind = 'incident'
            ) AS judged USING (account_id, incident_id)
        ) AS said ON said.account_id = alert.account_id AND said.alert_id = alert.alert_id
        ORDER BY of_incident LIMIT 1 BY account_id, alert_id"""  # noqa: S608 - times of ours
