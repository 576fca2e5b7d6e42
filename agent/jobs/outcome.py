"""From what was made and what failed to what is uploaded and reported."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from agent.jobs.failure import AttemptFailed
from agent.media import Package
from shared.failures import Cause, Failure
from shared.protocol import OutputResult, OutputSpec, StagedFile
from shared.statuses import JobStatus


def raise_if_nothing_came(verified: Mapping[int, object], failures: Mapping[int, Failure]) -> None:
    """When nothing came of it and that need not be the input's fault, another try may do better."""
    if verified:
        return
    for failure in failures.values():
        if failure.cause is not Cause.INPUT:
            raise AttemptFailed(failure)


def is_added_to(output: OutputSpec) -> bool:
    """Whether something is still to be done with it when all passes are over, at which it may fail."""
    return output.album_art is not None or (output.thumbnails is not None and output.thumbnails.sprite is not None)


def results(packed: Package, failures: Mapping[int, Failure]) -> tuple[OutputResult, ...]:
    failed = (OutputResult(index=index, status=JobStatus.ERROR, failure=failure) for index, failure in failures.items())
    return tuple(sorted((*packed.outputs, *failed), key=lambda result: result.index))


def staged(packed: Package) -> tuple[StagedFile, ...]:
    """Every file to upload, once, even where several objects are made of it."""
    of_outputs = (made for output in packed.outputs for made in output.objects)
    of_playlists = (made for playlist in packed.playlists for made in playlist.objects)
    files = {made.name: StagedFile(name=made.name, size=made.size) for made in chain(of_outputs, of_playlists)}
    return tuple(files.values())
