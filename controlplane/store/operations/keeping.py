"""What is kept, and for how long: removal in bounded steps, so that whoever writes meanwhile hardly waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controlplane.store.port import Op, call

FENCE: Final = 1000
"""No task is ever attempted as often between a backup and its restore."""


@dataclass(frozen=True)
class Step:
    """What one step removed, and where the next begins: None when this was the last."""

    removed: int
    last: str | None


def remove_jobs(after: str, *, until: int, size: int) -> Op[Step]:
    """Jobs that ended before `until`, oldest first, with their tasks, events and logs."""
    rows = yield call("ended_jobs", after=after, before=f"{until:013d}~", until=until, size=size)
    if not rows:
        return Step(0, None)
    span = {"after": after, "upto": str(rows[-1]["id"]), "until": until}
    yield call("delete_events_of_jobs", **span)
    yield call("delete_logs_of_jobs", **span)
    yield call("delete_tasks_of_jobs", **span)
    yield call("delete_jobs", **span)
    return Step(len(rows), span["upto"] if len(rows) == size else None)  # type: ignore[arg-type]


def remove_events(after: str, *, until: int, size: int) -> Op[Step]:
    """Of jobs that ended before `until`. Looks at `size` events, which lie in the order of their time."""
    (row,) = yield call("span_of_events", after=int(after or 0), size=size)
    if row["last"] is None or row["oldest"] > until:
        return Step(0, None)
    removed = yield call("delete_events", after=int(after or 0), upto=row["last"], until=until)
    return Step(len(removed), str(row["last"]))


def remove_deliveries(after: str, *, until: int, size: int) -> Op[Step]:
    """Whatever was to be told before `until`; they lie in the order of their time."""
    (row,) = yield call("span_of_deliveries", after=int(after or 0), size=size)
    if row["last"] is None or row["oldest"] > until:
        return Step(0, None)
    removed = yield call("delete_deliveries", after=int(after or 0), upto=row["last"], until=until)
    return Step(len(removed), str(row["last"]))


def remove_logs(after: str, *, until: int, size: int) -> Op[Step]:
    """Of attempts whose log was last written before `until`. Tasks are named by when they were submitted."""
    (row,) = yield call("span_of_logs", after=after, before=f"{until:013d}~", size=size)
    if row["last"] is None:
        return Step(0, None)
    removed = yield call("delete_logs", after=after, upto=row["last"], until=until)
    return Step(len(removed), str(row["last"]))


def remove_request_tokens(_after: str, *, until: int, size: int) -> Op[Step]:
    return (yield from _removed("delete_request_tokens", until=until, size=size))


def remove_join_tokens(_after: str, *, until: int, size: int) -> Op[Step]:
    return (yield from _removed("delete_join_tokens", until=until, size=size))


def remove_node_events(_after: str, *, until: int, size: int) -> Op[Step]:
    return (yield from _removed("delete_node_events", until=until, size=size))


def remove_idle_lanes(after: str, *, size: int) -> Op[Step]:
    """Lines in which nothing waits: tenants choose labels, so that there may be one for every job there ever was."""
    (row,) = yield call("span_of_lanes", after=int(after or 0), size=size)
    if row["last"] is None:
        return Step(0, None)
    removed = yield call("delete_idle_lanes", after=int(after or 0), upto=row["last"])
    return Step(len(removed), str(row["last"]))


def fence_restored() -> Op[None]:
    """After a restore: attempts that were granted since the backup must never be taken for ones that are granted now."""
    yield call("fence_restored", fence=FENCE)


def _removed(query: str, *, until: int, size: int) -> Op[Step]:
    rows = yield call(query, until=until, size=size)
    return Step(len(rows), "" if len(rows) == size else None)
