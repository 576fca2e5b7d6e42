"""Where events go: standard error, for people when it is a terminal, else one JSON object a line."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import structlog

_SECRET: Final = ("authorization", "credential", "password", "secret", "signature", "token")


def log_to_stderr() -> None:
    is_terminal = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer(serializer=_as_json)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            *([] if is_terminal else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No secret leaves by the log: not under its name, and not in the query of an address."""
    for name, value in event.items():
        if any(word in name.lower() for word in _SECRET):
            event[name] = "…"
        elif isinstance(value, str) and value.startswith(("http://", "https://")):
            event[name] = urlsplit(value)._replace(query="", fragment="").geturl()
    return event


def _as_json(event: Any, default: Any, **_: Any) -> str:
    return orjson.dumps(event, default=default).decode()
