"""What one query may cost, as ClickHouse settings, and which of ours to change when that is too little. Pure."""

from __future__ import annotations

import re

from sori.settings.api import ApiSettings

_MB = 1024 * 1024
#: ClickHouse's error code -> what happened, and the setting that governs it.
_TOLD = {
    159: ("the query took longer than allowed", "api.query_timeout_s"),
    160: ("the query would take longer than allowed", "api.query_timeout_s"),
    241: ("the query needs more memory than allowed", "api.max_memory_mb"),
    396: ("the result is larger than allowed", "api.max_result_mb or api.max_result_rows"),
}


def query_limits(settings: ApiSettings) -> dict[str, float | int | str]:
    """Settings that hold for every query."""
    return {
        "max_execution_time": settings.query_timeout_s,
        "timeout_overflow_mode": "throw",
        "max_memory_usage": settings.max_memory_mb * _MB,
        "max_result_bytes": settings.max_result_mb * _MB,
        "max_result_rows": settings.max_result_rows,
        "result_overflow_mode": "throw",
        "output_format_json_quote_64bit_integers": 0,
    }


def explain_limit(message: str) -> str:
    """ClickHouse's message; when a limit was hit, in plain words first, with the setting's name."""
    match = re.match(r"(?:Error: )?Code: (\d+)\.", message)
    found = _TOLD.get(int(match[1])) if match else None
    if found is None:
        return message
    return f"{_advice(*found)} (ClickHouse says: {message[:300]})"


def result_too_large(size: int) -> str:
    """The same for an answer that we counted ourselves; `size` in bytes."""
    return f"{_advice('the result is larger than allowed', 'api.max_result_mb')} (it has at least {size} bytes)"


def _advice(what: str, setting: str) -> str:
    return f"{what}: narrow it with WHERE, LIMIT or GROUP BY, or raise {setting}"
