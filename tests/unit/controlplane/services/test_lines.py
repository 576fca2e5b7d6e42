"""Who waits for a storage, and for how long."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from controlplane.services import lines
from controlplane.services.files import JobFiles
from controlplane.services.lines import MOST_AT_WORK, MOST_OBJECTS, MOST_RESULTS, Lines
from controlplane.services.payloads import Payload
from controlplane.services.settling import Results
from controlplane.store.records import Work
from tests.builders import eventually, finished, produced


def results(name: str, storage: str = "/a", objects: int = 1) -> Results:
    buckets = {f"{use}_{what}": storage for use in ("input", "output", "thumbnail") for what in ("bucket", "root")}
    files = JobFiles.model_validate({"tenant_id": "1", "inputs": (), **buckets})
    made = finished(*(produced(f"{name}.{number}") for number in range(objects)))
    return Results(cast("Any", name), Payload(Work("{}", "{}", files.model_dump_json())), made)


class Storage:
    """Publishes when it is told to."""

    def __init__(self) -> None:
        self.begun: list[list[str]] = []
        self._ends: deque[asyncio.Event] = deque()

    async def publish(self, _: str, batch: Sequence[Results]) -> None:
        self.begun.append([str(each.task) for each in batch])
        self._ends.append(end := asyncio.Event())
        await end.wait()

    def ends(self) -> None:
        self._ends.popleft().set()

    async def begins(self, batches: int) -> None:
        await eventually(lambda: len(self.begun) == batches)

    @asynccontextmanager
    async def lines(self) -> AsyncIterator[Lines]:
        async with asyncio.TaskGroup() as group:
            made = Lines(group, self.publish)
            yield made
            made.close()
            while self._ends:
                self.ends()
                await asyncio.sleep(0)


async def test_what_comes_while_one_is_at_work_goes_in_one_go() -> None:
    storage = Storage()
    async with storage.lines() as made:
        made.put(results("first"))
        await storage.begins(1)
        for name in ("second", "third"):
            made.put(results(name))
        storage.ends()
        await storage.begins(2)
    assert storage.begun == [["first"], ["second", "third"]]


async def test_no_more_go_in_one_go_than_others_can_wait_for() -> None:
    storage = Storage()
    async with storage.lines() as made:
        for number in range(MOST_RESULTS + 1):
            made.put(results(f"small {number}"))
        made.put(results("large", objects=MOST_OBJECTS))
        for batches in (2, 3):
            await storage.begins(batches - 1)
            storage.ends()
            await storage.begins(batches)
    assert [len(batch) for batch in storage.begun] == [MOST_RESULTS, 1, 1]


async def test_each_storage_has_its_own() -> None:
    storage = Storage()
    async with storage.lines() as made:
        made.put(results("here", "/a"))
        made.put(results("there", "/b"))
        await storage.begins(2)
    assert storage.begun == [["here"], ["there"]]


async def test_who_waits_for_too_long_is_helped_by_another_but_not_by_ever_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "PATIENCE", 0)
    storage = Storage()
    async with storage.lines() as made:
        for number in range(MOST_AT_WORK):
            made.put(results(f"large {number}", objects=MOST_OBJECTS))
        await storage.begins(MOST_AT_WORK)
        made.put(results("one more"))
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(storage.begun) == MOST_AT_WORK
        storage.ends()
        await storage.begins(MOST_AT_WORK + 1)
