"""The port: what a store must do, and the form in which it is told what to do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Row(Protocol):
    """A row of either database, by column name."""

    def __getitem__(self, column: str, /) -> Any: ...


class Call(NamedTuple):
    """A named query and its parameters."""

    query: str
    params: Mapping[str, Any]


Op = Generator[Call, Sequence[Row], T]
"""An operation: yields calls, is sent their rows, returns its result. It runs in one transaction, and raising undoes it.

Written once for both databases; it does no I/O of its own, so a thread, a connection pool or a simulator can drive it.
"""


def call(query: str, /, **params: Any) -> Call:
    return Call(query, params)


class Reader(Protocol):
    """A database as those see it who only look."""

    async def read(self, operation: Op[T]) -> T: ...

    async def close(self) -> None: ...


class Store(Reader, Protocol):
    """A database that keeps what it acknowledged: `write` returns after its commit is on disk.

    Raises Unavailable when the database cannot be reached, StorageFull when it has no room, and whatever the operation
    raises.
    """

    async def write(self, operation: Op[T], then: Callable[[T], None] | None = None) -> T:
        """`then` is told the result as soon as it is committed, also when the caller went away meanwhile."""
        ...

    async def close(self) -> None:
        """After everything that was asked for has been written; whoever asks later gets Unavailable."""
        ...
