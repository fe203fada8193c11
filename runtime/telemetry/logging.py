"""One log format for our code and for every library we run: structlog on top of the standard logging module."""

from __future__ import annotations

import logging
import logging.config
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog
from structlog.typing import Processor

from runtime.telemetry.log_repeats import RepeatFilter
from sori.settings.log import LogSettings
from sori.visible import visible, visible_json

#: Libraries whose INFO is noise for an operator; their warnings are not.
_QUIET = ("aiokafka", "faust", "mode", "kafka", "asyncio", "urllib3", "clickhouse_connect", "aiohttp.access")


def configure_logging(settings: LogSettings, *, stage: str) -> None:
    """Send structlog and the standard `logging` to stderr in one format; `stage` is a field of every line.

    Call it once, first thing in a process. Format auto is console on a terminal and JSON lines elsewhere.
    """
    level = logging.getLevelName(settings.level.upper())
    console = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    common = _common(stage)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=common, processors=_render(console)))
    handler.addFilter(RepeatFilter(settings.repeat_s))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(capture=True)


def adopt_library_loggers() -> None:
    """Route loggers that a library configured for itself (Faust does, at worker start) back to the root handler."""
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _common(stage: str) -> list[Processor]:
    def add_stage(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("stage", stage)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        add_stage,
    ]


def _render(console: bool) -> list[Processor]:
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if console:
        plain = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        return [strip, structlog.processors.format_exc_info, _make_visible, plain]
    return [strip, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_dumps)]


def _make_visible(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What senders wrote neither acts on the terminal nor hides in a line."""
    for name, value in event.items():
        event[name] = _visible(value, lines=name in {"exception", "stack"})
    return event


def _visible(value: Any, *, lines: bool = False) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    return visible(value, lines=lines)


def _dumps(event: Any, **_unused: Any) -> str:
    return visible_json(orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode())
