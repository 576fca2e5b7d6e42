"""What a report may publish, in which order, and what the job becomes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from controlplane.domain import patterns
from controlplane.domain.planning import captions
from shared.jobspec import Forms
from shared.protocol import (
    Finished,
    OutputResult,
    OutputSpec,
    PlaylistResult,
    ProducedObject,
    ThumbnailSpec,
    TranscodeFile,
)
from shared.statuses import JobStatus

ORDER: Final = {
    "media": 0, "thumbnail": 0, "sprite": 0, "content_key": 0, "captions": 0, "sprite_map": 1, "media_playlist": 1,
    "master_playlist": 2,
}  # fmt: skip
"""Whatever names another object becomes visible after it."""


def in_publishing_order(objects: Iterable[ProducedObject]) -> list[ProducedObject]:
    return sorted(objects, key=lambda produced: ORDER[produced.role])


def objects_of(report: Finished) -> list[ProducedObject]:
    results: tuple[OutputResult | PlaylistResult, ...] = (*report.outputs, *report.playlists)
    return [produced for result in results for produced in result.objects]


def misfits(work: TranscodeFile, report: Finished) -> list[str]:
    """Why a report cannot be one of this work; nothing when it can.

    Each output and playlist ends once, has objects when it is good and none when it is not, and no key is made twice.
    """
    results: Sequence[OutputResult | PlaylistResult] = (*report.outputs, *report.playlists)
    if sorted(result.index for result in report.outputs) != list(range(len(work.outputs))):
        return ["not every output, or not once"]
    if sorted(result.index for result in report.playlists) != list(range(len(work.playlists))):
        return ["not every playlist, or not once"]
    if any((result.status is JobStatus.COMPLETE) != bool(result.objects) for result in results):
        return ["a good result without objects, or a bad one with some"]
    made = Counter(produced.key for produced in objects_of(report))
    return [f"twice: {key}" for key, count in made.items() if count > 1] + stray_keys(work, report)


def stray_keys(work: TranscodeFile, report: Finished) -> list[str]:
    """Keys in a report that the job never asked for: a node may publish only what it was told to make."""
    forms = {output.index: work.forms(output) for output in work.outputs}
    stray = [
        produced.key
        for result in report.outputs
        for produced in result.objects
        if result.index not in forms or not _may_make(work.outputs[result.index], forms[result.index], produced.key)
    ]
    masters = {key for playlist in work.playlists for key in playlist.keys}
    return stray + [
        produced.key for result in report.playlists for produced in result.objects if produced.key not in masters
    ]


def _may_make(output: OutputSpec, forms: Forms, key: str) -> bool:
    if forms.is_named(output.key, key):
        return True
    if output.thumbnails is not None and _is_thumbnail(output.thumbnails, key):
        return True
    return output.captions is not None and captions.may_be(key, output.captions, output.settings.container)


def _is_thumbnail(thumbnails: ThumbnailSpec, key: str) -> bool:
    sprite = thumbnails.sprite
    if sprite is not None and re.fullmatch(rf"{re.escape(sprite.key)}(-\d{{5,}}\.(jpg|png)|\.vtt)", key) is not None:
        return True
    return patterns.may_be(key, thumbnails.pattern, _FILLINGS, rf"\.{thumbnails.settings.format}")


_FILLINGS: Final = {"{count}": r"\d{5,10}", "{resolution}": r"\d{1,5}x\d{1,5}"}
