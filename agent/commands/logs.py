"""Where events go: standard error, for people when it is a terminal, else one JSON object a line."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
import structlog

_SECRET: Final = ("authorization", "credential", "password", "secret", "signature", "token")
_LINK: Final = re.compile(r"""(/objects/)[^\s"'\\]+""")


def log_to_stderr() -> None:
    is_terminal = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if is_terminal
        else structlog.processors.JSONRenderer(serializer=_as_json)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.format_exc_info,
            renderer,
            cut_links,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def log_alarms() -> None:
    """For commands whose output is their answer: nothing else may come between."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No secret leaves by the log: not under its name, and not in the query of an address."""
    for name, value in event.items():
        if any(word in name.lower() for word in _SECRET):
            event[name] = "…"
        elif isinstance(value, str) and value.startswith(("http://", "https://")):
            event[name] = urlsplit(value)._replace(query="", fragment="").geturl()
    return event


def cut_links(_logger: object, _method: str, line: Any) -> str:
    """The path of a signed link is its secret: nothing of it leaves, wherever in the line it stands."""
    return _LINK.sub(r"\1…", line)


def _as_json(event: Any, default: Any, **_: Any) -> str:
    return orjson.dumps(event, default=default).decode()
