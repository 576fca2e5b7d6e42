"""The audit log: rows are only added, each in the transaction of what it tells of; seals follow behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from controlplane.domain.auditing import GENESIS, SWEPT, Act, Deed, Seal, chained_rows
from controlplane.store.port import Calls, Item, Op, T, Together, call
from controlplane.store.records import record

STRETCH: Final = 500
"""Rows between two seals at most."""
SWEPT_AT_ONCE: Final = 2000
SCANNED: Final = 20_000
"""Rows that one page looks at, at most: what is filtered has no index, since every write would pay for it."""


def add(act: Act, now: int) -> Op[None]:
    yield call("insert_deed", at=now, **vars(act))


def recorded(operation: Op[T], act: Callable[[T], Act], now: int) -> Op[T]:
    """An operation together with the row that tells of it: both happen, or neither."""
    result = yield from operation
    yield from add(act(result), now)
    return result


@lru_cache(maxsize=64)
def recorded_together(together: Together[Item, T]) -> Together[tuple[Item, Callable[[T], Act], int], T]:
    """The same for an operation that is shared: each item comes with what tells of it, and with its time."""

    def recorded(asked: Sequence[tuple[Item, Callable[[T], Act], int]]) -> Op[Sequence[T | Exception]]:
        results = yield from together([item for item, _, _ in asked])
        deeds = [
            {**vars(act(result)), "at": now}
            for (_, act, now), result in zip(asked, results, strict=True)
            if not isinstance(result, Exception)
        ]
        yield Calls("insert_deed", deeds)
        return results

    return recorded


def head() -> Op[Seal]:
    """The newest seal; before the first, where the chain begins."""
    rows = yield call("newest_seal")
    return record(Seal, rows[0]) if rows else Seal(0, GENESIS)


def seal() -> Op[Seal | None]:
    """Seals the next stretch of rows. None when there are none."""
    last = yield from head()
    rows = yield call("deeds_between", after=last.id, upto=LAST, size=STRETCH)
    if not rows:
        return None
    made = Seal(rows[-1]["id"], chained_rows(last.hash, rows))
    yield call("insert_seal", id=made.id, hash=made.hash)
    return made


def next_stretch(after: Seal | None) -> Op[tuple[list[Deed], Seal | None]]:
    """What follows a seal: rows, and the seal after them; None when those rows are not sealed yet."""
    since = after.id if after else 0
    seals = yield call("next_seal", after=since)
    following = record(Seal, seals[0]) if seals else None
    rows = yield call("deeds_between", after=since, upto=following.id if following else LAST, size=LAST)
    return [record(Deed, row) for row in rows], following


def newest() -> Op[int]:
    (row,) = yield call("newest_deed")
    return int(row["id"] or 0)


def page(wanted: Mapping[str, Any], *, before: int, size: int) -> Op[list[Deed]]:
    """Rows that match, newest first, of the SCANNED ones before an id."""
    rows = yield call("deeds", before=before, floor=before - SCANNED, size=size, **wanted)
    return [record(Deed, row) for row in rows]


def sweep(*, until: int, now: int) -> Op[int]:
    """Removes sealed rows that are older than `until`, and adds the row that tells so. How many went.

    The seal of the last one stays: it is where the chain begins from then on.
    """
    seals = yield call("last_swept_seal", until=until, size=SWEPT_AT_ONCE)
    if not seals:
        return 0
    last = record(Seal, seals[0])
    yield from add(Act("retention", "system", None, "", "", SWEPT, str(last)), now)
    swept = yield call("delete_deeds", upto=last.id)
    yield call("delete_seals", before=last.id)
    return len(swept)


LAST: Final = (1 << 63) - 1
