"""What becomes of the results of several tasks that are made visible in one go: done in a thread, and to be done again."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from controlplane.services.files import Place, attempt_name, make_visible
from controlplane.services.payloads import Payload
from controlplane.storage.files import FileBucket
from controlplane.store.records import Task
from shared.errors import AlreadyExists, StorageFull, TranscoderError
from shared.failures import Cause, Failure, FailureCode
from shared.protocol import Finished


@dataclass(frozen=True)
class Results:
    """What is to become visible of a task that was reported."""

    task: Task
    payload: Payload
    finished: Finished

    @property
    def attempt(self) -> str:
        return attempt_name(self.task.id, self.task.attempt)

    @property
    def storage(self) -> str:
        return self.payload.files.output_root


Settled = Finished | Failure | Exception
"""What became visible, why nothing more can, or why it is to be tried again."""


def settled_each(batch: Sequence[Results], is_abandoned: threading.Event) -> list[Settled]:
    """Side by side and step by step, so that a folder is made durable once for all of them."""
    under_way = {index: _settling(results, is_abandoned) for index, results in enumerate(batch)}
    settled: dict[int, Settled] = {}
    while under_way:
        waiting: dict[Place, list[int]] = defaultdict(list)
        for index in list(under_way):
            try:
                places = next(under_way[index])
            except StopIteration as stop:
                settled[index] = stop.value
                del under_way[index]
            else:
                for place in places:
                    waiting[place].append(index)
        for place, indices in waiting.items():
            try:
                FileBucket(place.root).sync(place.folder)
            except (OSError, TranscoderError) as error:
                settled |= dict.fromkeys(indices, error)
                under_way = {index: each for index, each in under_way.items() if index not in indices}
    return [settled[index] for index in range(len(batch))]


def _settling(results: Results, is_abandoned: threading.Event) -> Generator[set[Place], None, Settled]:
    wanted = results.payload.files, results.attempt, results.payload.work, results.finished, is_abandoned
    try:
        try:
            return (yield from make_visible(*wanted))
        except AlreadyExists:  # an object came in between: now it is seen, and fails only its output
            return (yield from make_visible(*wanted))
    except (StorageFull, OSError) as error:
        return error
    except TranscoderError as error:
        code = FailureCode.OUTPUT_EXISTS if isinstance(error, AlreadyExists) else FailureCode.STORAGE_ERROR
        return Failure(cause=Cause.UNKNOWN, code=code, message=f"The results cannot be published: {error.detail}"[:255])
