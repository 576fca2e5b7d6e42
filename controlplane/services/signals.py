"""Tells waiters inside this process that something changed, so that nobody has to ask again and again."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from shared.ids import JobId


class Signals:
    def __init__(self) -> None:
        self._listening: dict[JobId, set[asyncio.Event]] = defaultdict(set)
        self._listening_to_all: set[asyncio.Event] = set()
        self.closed = asyncio.Event()

    @property
    def is_closed(self) -> bool:
        return self.closed.is_set()

    def changed(self, job_id: JobId) -> None:
        for event in self._listening_to_all:
            event.set()
        for event in self._listening.get(job_id, ()):
            event.set()

    def close(self) -> None:
        """The service stops: nobody need listen any longer."""
        self.closed.set()
        for events in (*self._listening.values(), self._listening_to_all):
            for event in events:
                event.set()

    def is_watched(self, job_id: JobId) -> bool:
        return job_id in self._listening

    @contextmanager
    def listening(self, job_id: JobId) -> Iterator[asyncio.Event]:
        """An event that is set at every change. Register before reading, or a change in between is missed."""
        event = asyncio.Event()
        self._listening[job_id].add(event)
        try:
            yield event
        finally:
            self._listening[job_id].discard(event)
            if not self._listening[job_id]:
                del self._listening[job_id]

    @contextmanager
    def listening_to_all(self) -> Iterator[asyncio.Event]:
        """The same, set at every change of any job."""
        event = asyncio.Event()
        self._listening_to_all.add(event)
        try:
            yield event
        finally:
            self._listening_to_all.discard(event)


async def is_set_within(seconds: float, event: asyncio.Event) -> bool:
    """Waits for it, and no longer."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
