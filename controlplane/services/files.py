"""The files of a job: where its inputs lie, where its results go, and how they become visible."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from controlplane.domain.results import ORDER, in_publishing_order, objects_of
from controlplane.storage.files import FileBucket, staging_key
from shared.errors import Unavailable
from shared.failures import Cause, Failure, FailureCode
from shared.ids import Attempt, TaskId, TenantId
from shared.protocol import Finished, OutputResult, PlaylistResult, ProducedObject, TranscodeFile
from shared.statuses import JobStatus

R = TypeVar("R", OutputResult, PlaylistResult)


class Place(NamedTuple):
    """A folder of a bucket."""

    root: Path
    folder: str


OF_THUMBNAILS: Final = frozenset({"thumbnail", "sprite", "sprite_map"})


class JobFiles(BaseModel):
    """Fixed at submission: a pipeline that is changed later changes no job."""

    model_config = ConfigDict(frozen=True)

    tenant_id: TenantId
    input_bucket: str
    input_root: str
    output_bucket: str
    output_root: str
    thumbnail_bucket: str
    thumbnail_root: str
    inputs: tuple[str, ...]
    """Keys of everything that it reads."""

    @property
    def staging(self) -> FileBucket:
        return FileBucket(Path(self.output_root))

    def target(self, produced: ProducedObject) -> FileBucket:
        return FileBucket(Path(self.thumbnail_root if produced.role in OF_THUMBNAILS else self.output_root))


def attempt_name(task_id: TaskId, attempt: Attempt) -> str:
    """Of the directory in staging."""
    return f"{task_id}.{attempt}"


def missing(files: JobFiles, attempt: str, finished: Finished) -> list[str]:
    """Reported objects that do not lie in staging whole."""
    return [
        produced.name
        for produced in objects_of(finished)
        if not files.staging.has_staged(attempt, produced.name, produced.size)
    ]


def make_visible(
    files: JobFiles, attempt: str, work: TranscodeFile, finished: Finished, is_abandoned: threading.Event
) -> Generator[set[Place], None, Finished]:
    """Publishes what the report holds, playlists last, and tells what came of it. Doing it again changes nothing.

    Yields the places that are to be made durable before it goes on: what names others comes after them. Breaks off,
    with Unavailable, when it is abandoned.

    An output one of whose keys is taken by an older object fails as a whole, and so do the playlists that name it.
    """
    outputs = [_unless_taken(files, attempt, output) for output in finished.outputs]
    failed = {output.index for output in outputs if output.status is JobStatus.ERROR}
    playlists = [
        _unless_broken(playlist, failed & set(work.playlists[playlist.index].outputs))
        for playlist in finished.playlists
    ]
    playlists = [_unless_taken(files, attempt, playlist) for playlist in playlists]
    settled = finished.model_copy(update={"outputs": tuple(outputs), "playlists": tuple(playlists)})
    for _, stage in groupby(in_publishing_order(objects_of(settled)), key=lambda produced: ORDER[produced.role]):
        places = set()
        for produced in stage:
            if is_abandoned.is_set():
                raise Unavailable("The storage took too long.")
            target = files.target(produced)
            files.staging.publish(f"{staging_key(attempt)}/{produced.name}", target, produced.key)
            places.add(Place(target.root, produced.key.rpartition("/")[0]))
        yield places
    return settled


def visible_size(files: JobFiles, attempt: str, finished: Finished) -> int:
    """Bytes of what a report holds that lie in their places already, before the rest does, or never will."""
    return sum(
        produced.size
        for produced in objects_of(finished)
        if files.staging.is_same(f"{staging_key(attempt)}/{produced.name}", files.target(produced), produced.key)
    )


def _unless_taken(files: JobFiles, attempt: str, result: R) -> R:
    taken = next(_taken(files, attempt, result.objects), None)
    if taken is None:
        return result
    message = f"An object {taken!r} exists already; delete it or choose another key."
    return _failed(result, Failure(cause=Cause.INPUT, code=FailureCode.OUTPUT_EXISTS, message=message[:255]))


def _taken(files: JobFiles, attempt: str, objects: Iterable[ProducedObject]) -> Iterator[str]:
    for produced in objects:
        staged = f"{staging_key(attempt)}/{produced.name}"
        if files.staging.is_same(staged, files.target(produced), produced.key) is False:
            yield produced.key


def _unless_broken(playlist: PlaylistResult, failed_members: set[int]) -> PlaylistResult:
    if not failed_members:
        return playlist
    message = "An output that this playlist names has failed."
    return _failed(playlist, Failure(cause=Cause.INPUT, code=FailureCode.DEPENDENCY_FAILED, message=message))


def _failed(result: R, failure: Failure) -> R:
    return result.model_copy(update={"status": JobStatus.ERROR, "failure": failure, "objects": ()})
