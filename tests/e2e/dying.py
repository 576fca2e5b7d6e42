"""A control plane that dies at a named point: `python -m tests.e2e.dying POINT COUNT server run …`.

The process kills itself, as the kernel would, when it passes the point for the given time. Nothing in the service knows of this.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from controlplane.services import couriers, settling
from controlplane.storage.files import FileBucket
from controlplane.store import batches, sql, sqlite
from shared.command import main

Pass = Callable[[], None]


def _before(owner: Any, name: str, passes: Pass) -> None:
    original = getattr(owner, name)

    def replaced(*arguments: Any, **named: Any) -> Any:
        passes()
        return original(*arguments, **named)

    setattr(owner, name, replaced)


def _after(owner: Any, name: str, passes: Pass) -> None:
    original = getattr(owner, name)

    def replaced(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        passes()
        return result

    setattr(owner, name, replaced)


def _in_migration(passes: Pass) -> None:
    """Between two statements of one: each takes its own pass."""
    original = sql.migrations

    def watched(statements: list[str]) -> Iterator[str]:
        for statement in statements:
            passes()
            yield statement

    def migrations(dialect: sql.Dialect) -> Mapping[int, Any]:
        return {number: watched(statements) for number, statements in original(dialect).items()}

    sql.migrations = migrations  # type: ignore[assignment]


POINTS: Mapping[str, Callable[[Pass], None]] = {
    "in a migration": _in_migration,
    "after an operation, before its commit": lambda passes: _before(sqlite.SqliteStore, "_commit", passes),
    "after a commit, before its answer": lambda passes: _before(batches, "resolve", passes),
    "before results become visible": lambda passes: _before(settling, "settled_each", passes),
    "between two results that become visible": lambda passes: _after(FileBucket, "publish", passes),
    "after all results are visible, before that is written": lambda passes: _after(settling, "settled_each", passes),
    "before a message is sent": lambda passes: _before(couriers.Courier, "_answer", passes),
    "after a message was answered, before that is noted": lambda passes: _before(couriers.Courier, "_judged", passes),
    "before staging is cleared": lambda passes: _before(FileBucket, "discard", passes),
}


def _dies_at(count: int) -> Pass:
    numbers = itertools.count(1)

    def passes() -> None:
        if next(numbers) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    return passes


if __name__ == "__main__":
    _, point, count, *arguments = sys.argv
    POINTS[point](_dies_at(int(count)))
    sys.argv = ["transcoder", *arguments]
    main()
