"""The port: what a store must do, and the form in which it is told what to do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")
Item = TypeVar("Item")


class Row(Protocol):
    """A row of either database, by column name."""

    def __getitem__(self, column: str, /) -> Any: ...


class Call(NamedTuple):
    """A named query and its parameters."""

    query: str
    params: Mapping[str, Any]


class Calls(NamedTuple):
    """The same query for each of several sets of parameters, which PostgreSQL is sent in one go.

    None may need what another changed, nor change the same row. The rows of all: in order where they are only read.
    """

    query: str
    each: Sequence[Mapping[str, Any]]
    only_counted: bool = False
    """Of what changes rows it is only asked how many: the one row that is sent back has that as `changed`."""


Op = Generator[Call | Calls, Sequence[Row], T]
"""An operation: yields calls, is sent their rows, returns its result. It runs in one transaction, and raising undoes it.

Written once for both databases; it does no I/O of its own, so a thread, a connection pool or a simulator can drive it.
"""

Together = Callable[[Sequence[Item]], Op[Sequence[T | Exception]]]
"""An operation that many callers share: an item of each goes in, and for each comes out a result or why it was refused.

For a refused item it has changed nothing.
"""


def call(query: str, /, **params: Any) -> Call:
    return Call(query, params)


def alone(together: Together[Item, T], item: Item) -> Op[T]:
    """What is made to be shared, for one."""
    (result,) = yield from together([item])
    if isinstance(result, Exception):
        raise result
    return result


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

    async def write_together(
        self,
        together: Together[Item, T],
        item: Item,
        then: Callable[[T], None] | None = None,
        foretell: Callable[[T], None] | None = None,
    ) -> T:
        """As `write`, in one operation with all who ask the same until the next commit begins.

        `foretell` is told the result before, while the disk is waited for: it may yet come to nothing. Whatever is written
        after that sees it, or sees that it came to nothing.
        """
        ...

    async def close(self) -> None:
        """After everything that was asked for has been written; whoever asks later gets Unavailable."""
        ...
