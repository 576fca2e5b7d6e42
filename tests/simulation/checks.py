"""What must hold at any time, and what must be true when the bad luck is over."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from controlplane.domain.lifecycle import TERMINAL_JOBS, TERMINAL_TASKS
from controlplane.store.operations import quotas
from controlplane.store.sqlite import _run
from tests.simulation.history import History, Violation
from tests.simulation.server import Down, Server

_TERMINAL = ", ".join(f"'{status}'" for status in sorted(TERMINAL_JOBS))


CRASHES = ("attempt.crashed", "background.died", "request.failed")


def nothing_crashed(logged: Iterable[Mapping[str, Any]]) -> None:
    """A program that meets a surprise says so, and goes on or starts anew: here there must be none."""
    if crashed := [entry for entry in logged if entry["event"] in CRASHES]:
        raise Violation(f"crashed: {crashed[:3]}")


def always(server: Server, history: History) -> None:
    try:
        reader = server.store._reader
    except Down:
        return
    _jobs_are_kept(reader, history)
    _jobs_end_with_their_tasks(reader)
    _counters_are_right(reader)
    _the_ledger_is_right(server)
    _leases_have_one_holder(reader)
    _suspects_are_alone(reader)
    _no_node_is_taken_for_two(reader)


async def unfinished(server: Server) -> list[Any]:
    return _rows(server.store._reader, f"SELECT id, status FROM jobs WHERE status NOT IN ({_TERMINAL})")


async def at_the_end(server: Server, history: History) -> None:
    reader = server.store._reader
    always(server, history)
    if left := await unfinished(server):
        raise Violation(f"never ended: {left}")
    _what_is_published_is_the_winner(reader)
    _what_was_ended_stays_ended(reader, history)
    _staging_is_empty(reader)


def _rows(reader: sqlite3.Connection, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in reader.execute(statement)]


def _jobs_are_kept(reader: sqlite3.Connection, history: History) -> None:
    kept = {job_id for (job_id,) in _rows(reader, "SELECT id FROM jobs")}
    if lost := history.acknowledged.keys() - kept:
        raise Violation(f"acknowledged and lost: {lost}")


def _jobs_end_with_their_tasks(reader: sqlite3.Connection) -> None:
    for job_id, status, state in _rows(
        reader, "SELECT j.id, j.status, t.state FROM jobs j JOIN tasks t ON t.job_id = j.id"
    ):
        if (status in TERMINAL_JOBS) != (state in TERMINAL_TASKS):
            raise Violation(f"{job_id} is {status} and its task {state}")


def _counters_are_right(reader: sqlite3.Connection) -> None:
    counted = _rows(reader, "SELECT id, queued, running FROM tenants ORDER BY id")
    recounted = _rows(
        reader,
        """SELECT n.id, COUNT(CASE WHEN t.state IN ('Held', 'Waiting') THEN 1 END),
                  COUNT(CASE WHEN t.state IN ('Leased', 'Running', 'Stopping', 'Publishing') THEN 1 END)
             FROM tenants n LEFT JOIN tasks t ON t.tenant_id = n.id GROUP BY n.id ORDER BY n.id""",
    )
    if counted != recounted:
        raise Violation(f"counted {counted}, there are {recounted}")


def _the_ledger_is_right(server: Server) -> None:
    """Every quota's counter, and that each job which ended counts once among its tenant's usage."""
    store = server.store
    for (tenant_id,) in _rows(store._reader, "SELECT id FROM tenants"):
        if drift := _run(store._reader, store._queries, quotas.drift(tenant_id)):
            raise Violation(f"drifted: {drift}")
    told = _rows(store._reader, "SELECT COALESCE(SUM(complete + error + canceled), 0) FROM usage")
    if told != (ended := _rows(store._reader, f"SELECT COUNT(*) FROM jobs WHERE status IN ({_TERMINAL})")):
        raise Violation(f"usage tells of {told} jobs, {ended} have ended")
    if over := _rows(store._reader, "SELECT id FROM tenants WHERE running > max_running"):
        raise Violation(f"above their limits: {over}")


def _leases_have_one_holder(reader: sqlite3.Connection) -> None:
    free = _rows(reader, "SELECT id FROM tasks WHERE state IN ('Held', 'Waiting') AND node_id IS NOT NULL")
    held = _rows(reader, "SELECT lease_id FROM tasks WHERE state IN ('Leased', 'Running', 'Stopping')")
    if free or len(set(held)) != len(held):
        raise Violation(f"waits and is held: {free}, or a lease was given twice: {held}")


def _suspects_are_alone(reader: sqlite3.Connection) -> None:
    crowded = _rows(
        reader,
        """SELECT s.id, o.id FROM tasks s JOIN tasks o ON o.node_id = s.node_id AND o.id <> s.id
            WHERE s.killed_on <> '[]' AND s.state IN ('Leased', 'Running', 'Stopping')
              AND o.state IN ('Leased', 'Running', 'Stopping')""",
    )
    if crowded:
        raise Violation(f"what may have killed an agent is not alone: {crowded}")


def _no_node_is_taken_for_two(reader: sqlite3.Connection) -> None:
    """Restarts, crashes, lost and late messages: none of it looks like a copy of a machine."""
    if cloned := _rows(reader, "SELECT id FROM nodes WHERE trust = 'Cloned'"):
        raise Violation(f"a node was taken for its clone: {cloned}")


def _what_is_published_is_the_winner(reader: sqlite3.Connection) -> None:
    """One object for each complete job, of the attempt that was accepted; none for any other."""
    (root,) = {Path(root).parent.parent for (root,) in _rows(reader, "SELECT root FROM buckets")}
    published = {file.stem: file.read_text().split() for file in root.rglob("*.mp4") if ".transcoder" not in file.parts}
    for job_id, status, document, task_id, attempt in _rows(
        reader,
        """SELECT j.id, j.status, json_extract(j.document, '$.outputs[0].key'), t.id, t.attempt
             FROM jobs j JOIN tasks t ON t.job_id = j.id""",
    ):
        made = published.get(document.removesuffix(".mp4"))
        if (status == "Complete") != (made is not None):
            raise Violation(f"{job_id} is {status} and published {made}")
        if made is not None and (made[0], int(made[1])) != (task_id, attempt):
            raise Violation(f"{job_id} published {made[:2]}, accepted was attempt {attempt}")


def _what_was_ended_stays_ended(reader: sqlite3.Connection, history: History) -> None:
    statuses = dict(_rows(reader, "SELECT id, status FROM jobs"))
    ended = history.canceled | history.stopped
    if wrong := {job_id: statuses[job_id] for job_id in ended if statuses[job_id] != "Canceled"}:
        raise Violation(f"cancelled or stopped, and yet {wrong}")


def _staging_is_empty(reader: sqlite3.Connection) -> None:
    for (root,) in _rows(reader, "SELECT DISTINCT root FROM buckets"):
        staged = [path for path in Path(root).glob(".transcoder/staging/*") if path.is_dir()]
        if staged:
            raise Violation(f"left in staging: {staged}")
