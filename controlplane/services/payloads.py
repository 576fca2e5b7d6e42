"""What tasks are to do, and where their files lie: fixed at submission, so that what is known once need not be read again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from controlplane.domain.sources import Source, sources
from controlplane.services.files import JobFiles
from controlplane.services.presets import planned
from controlplane.store.operations import dispatch
from controlplane.store.port import Store
from controlplane.store.records import Work
from shared.ids import TaskId
from shared.jobspec import JobDocument
from shared.protocol import TranscodeFile

RECENT: Final = 1024
"""Tasks kept: each is asked for when it is granted, reported and published."""


@dataclass(frozen=True)
class Payload:
    """Understood when it is asked for: a release may find that it cannot read what an earlier one kept."""

    kept: Work
    submitted: JobDocument | None = None
    """Where it was understood just now."""

    @cached_property
    def files(self) -> JobFiles:
        return JobFiles.model_validate_json(self.kept.files)

    @cached_property
    def document(self) -> JobDocument:
        """Raises one of UNREADABLE, as do those below."""
        return self.submitted or JobDocument.model_validate_json(self.kept.document)

    @cached_property
    def work(self) -> TranscodeFile:
        """What a node is told to do."""
        return planned(self.document, self.kept.presets)

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The objects that it reads."""
        return sources(self.document)


class Payloads:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._recent: OrderedDict[TaskId, Payload] = OrderedDict()

    def keep(self, task_id: TaskId, work: Work, document: JobDocument) -> None:
        """Of a task that was made just now."""
        self._keep(task_id, Payload(work, document))

    def knows(self, task_id: TaskId) -> bool:
        return task_id in self._recent

    async def of(self, task_id: TaskId) -> Payload:
        known = self._recent.get(task_id)
        if known is None:
            known = Payload(await self._store.read(dispatch.work(task_id)))
            self._keep(task_id, known)
        return known

    def forget(self, task_id: TaskId) -> None:
        """It has ended."""
        self._recent.pop(task_id, None)

    def _keep(self, task_id: TaskId, payload: Payload) -> None:
        self._recent[task_id] = payload
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)
