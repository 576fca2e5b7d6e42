"""Where both programs' events go, and what libraries say: standard error, a JSON object a line, for people on a terminal prose."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, Final

import orjson
import structlog

from shared.redaction import without_secrets

_SECRET: Final = (
    "authorization",
    "cookie",
    "credential",
    "password",
    "private",
    "secret",
    "signature",
    "token",
    "x_amz",
)


def log_to_stderr(*processors: structlog.typing.Processor) -> None:
    """`processors` add what the program knows about whoever an event is about."""
    render: Any = (
        structlog.dev.ConsoleRenderer(
            exception_formatter=structlog.dev.plain_traceback
        )  # others show the values of variables
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(serializer=_as_json)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *processors,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            hide_by_name,
            structlog.processors.format_exc_info,
            render,
            _clean,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Forward()]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)


def log_alarms() -> None:
    """For commands whose output is their answer: nothing else may come between."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def hide_by_name(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What is called a secret is not told, whatever it looks like. Counts of them are none."""
    for name, value in event.items():
        if isinstance(value, str | bytes) and _is_secret(name):
            event[name] = "…"
    return event


@lru_cache(1024)
def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET)


class _Forward(logging.Handler):
    """What libraries log goes the way of everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(
            record.levelno, "library.logged", logger=record.name, said=record.getMessage(), exc_info=record.exc_info
        )


def _clean(_logger: object, _method: str, line: Any) -> str:
    """The whole line, last: secrets hide in tracebacks and in what others said, too."""
    return without_secrets(line)


def _as_json(event: Any, default: Any, **_: Any) -> str:
    return orjson.dumps(event, default=default).decode()
