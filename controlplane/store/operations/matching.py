"""Lists of jobs by their metadata. No index is kept of what tenants note there: a submission would pay for every note.

So a part of the list is looked at, and a page may be short, or empty, and yet not the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from controlplane.store.operations import jobs
from controlplane.store.operations.jobs import Page, bounds, is_full
from controlplane.store.port import Op, call
from controlplane.store.records import Job, record
from controlplane.store.sql import filter_name
from shared.ids import TenantId

LOOKED_AT: Final = 1000
"""Jobs, for one page."""
LOOKED_THROUGH: Final = 8 * jobs.ROOM
"""Characters of them."""


def matching(
    tenant_id: TenantId,
    wanted: Mapping[str, str | None],
    metadata: Mapping[str, str],
    *,
    ascending: bool,
    after: str,
    oldest: str,
    size: int,
) -> Op[Page]:
    """As `jobs.page`, of the jobs that have all of this metadata."""
    suffix = ("_ascending" if ascending else "_descending") + filter_name(wanted)
    window = {
        "tenant_id": tenant_id,
        "looked_at": LOOKED_AT,
        "looked_room": LOOKED_THROUGH,
        **bounds(wanted, ascending=ascending, after=after, oldest=oldest),
    }
    (span,) = yield call(f"span_of_jobs{suffix}", **window)
    rows = yield call(f"matching_jobs{suffix}", **window, size=size + 1, room=jobs.ROOM, noted=_noted(metadata))
    found = [record(Job, row) for row in rows[:size] if _has(row["document"], metadata)]
    if len(rows) > size or is_full(rows):
        return Page(found, rows[:size][-1]["id"])
    is_whole = span["looked"] < LOOKED_AT and (span["size"] or 0) < LOOKED_THROUGH
    return Page(found, None if is_whole else span["last" if ascending else "first"])


def _has(document: str, metadata: Mapping[str, str]) -> bool:
    noted = orjson.loads(document)["metadata"]
    return all(noted.get(key) == value for key, value in metadata.items())


def _noted(metadata: Mapping[str, str]) -> str:
    """What the text of every document has that may match: none of these characters is written otherwise in JSON."""
    key, value = next(iter(metadata.items()))
    return f'"{key}":"{value}"'.replace("%", "!%").replace("_", "!_")
