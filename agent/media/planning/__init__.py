"""From what is wanted and what is there to ffmpeg's command lines: passes, in which outputs share one decode.

programme   what the inputs are together, and what stretch of it an output shows
canvas      what stitched inputs have in common
stretches   where in the whole each input is shown
alignment   where the renditions of a playlist start their segments
opening     the beginning of a graph: inputs opened, cut, and put behind each other
feeding     more inputs than one process holds open
evening     an input that becomes another kind midway
choosing    what each output will be, or why it cannot be
planned     what was chosen, as values
drawing     the graph of a pass, and its command line
muxers      how each container is written
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from agent.media.diagnosis import LOST_WRITES
from agent.media.encoders import VIDEO_ENCODERS, Device
from agent.media.facts import MediaFacts
from agent.media.planning.alignment import aligned
from agent.media.planning.choosing import (
    NO_STILLS,
    Stills,
    in_software,
    lacked,
    on_card,
    planned,
    refusal,
    too_fast_or_slow,
    too_small,
)
from agent.media.planning.drawing import drawn
from agent.media.planning.planned import (
    OUT,
    Feeders,
    Pass,
    Plan,
    PlannedAudio,
    PlannedOutput,
    PlannedThumbnails,
    PlannedVideo,
    tracks_file,
)
from agent.media.planning.programme import beyond_end, clipped, part, programme
from agent.media.planning.stretches import of_clip, stretches
from shared.failures import Failure, FailureReason
from shared.protocol import TranscodeFile

NO_TRACKS: Final[Mapping[int, int]] = {}
ALL_ENCODERS: Final = frozenset(encoder.name for encoder in VIDEO_ENCODERS.values() if encoder.on_gpu)
__all__ = [
    "OUT",
    "Feeders",
    "Pass",
    "Plan",
    "PlannedAudio",
    "PlannedOutput",
    "PlannedThumbnails",
    "PlannedVideo",
    "evenly",
    "instead",
    "lacked",
    "of_clip",
    "plan",
    "split",
    "stretches",
    "tracks_file",
]  # fmt: skip


def plan(
    task: TranscodeFile,
    facts: tuple[MediaFacts, ...],
    stills: Stills = NO_STILLS,
    *,
    device: Device,
    threads: int,
    gpu: int = 0,
    card: Collection[str] = ALL_ENCODERS,
    tracks: Mapping[int, int] = NO_TRACKS,
) -> Plan:
    """`facts`: of every part of the task, hints and all. `gpu` is the card for what is done on one, as NVML counts,
    and `card` the encoders that work on it. `tracks`: how many of captions an output embeds, by its index.

    Outputs of the same stretch share a decode; others read what they need, and no more.
    """
    parts = tuple(map(part, task.parts, facts))
    if (failure := beyond_end(parts)) is not None:
        return Plan((), {spec.index: failure for spec in task.outputs})
    shown = programme(parts)
    passes: list[Pass] = []
    refused: dict[int, Failure] = {}
    for clip in dict.fromkeys(spec.clip for spec in task.outputs):
        of_clip = tuple(spec for spec in task.outputs if spec.clip == clip)
        stretch = clipped(shown, clip)
        if isinstance(stretch, Failure):
            refused.update({spec.index: stretch for spec in of_clip})
            continue
        refused.update({spec.index: why for spec in of_clip if (why := refusal(spec, stretch.whole, stills))})
        wanted = [
            replace(
                on_card(planned(spec, stretch.whole, stills, device), card),
                caption_tracks=tracks.get(spec.index, 0),
                longest=stretch.longest,
            )
            for spec in of_clip
            if spec.index not in refused
        ]
        refused.update(
            {output.index: why for output in wanted if (why := too_fast_or_slow(output) or too_small(output))}
        )
        outputs = aligned([output for output in wanted if output.index not in refused], task.playlists)
        passes += [drawn(group, stretch, device, threads, gpu) for group in _together(outputs)]
    return Plan(tuple(passes), refused)


def _together(outputs: tuple[PlannedOutput, ...]) -> list[tuple[PlannedOutput, ...]]:
    """Which outputs share a decode: all but those that are made alone."""
    shared = tuple(output for output in outputs if not output.is_made_alone)
    alone = [(output,) for output in outputs if output.is_made_alone]
    return [shared, *alone] if shared else [*alone]


def split(p: Pass) -> tuple[Pass, ...]:
    """A pass for every output of a pass that failed, so that only the guilty one fails again."""
    return tuple(
        drawn((output,), p.programme, p.device, p.threads, p.gpu, decode_on_gpu=p.decodes_on_gpu)
        for output in p.outputs
    )


def evenly(p: Pass) -> Pass | None:
    """The same of an input that is made one kind before, since it turned out to become another midway. None where it is made
    so already, or is one of several.
    """
    if p.programme.is_uneven or p.programme.is_stitched:
        return None
    return drawn(p.outputs, replace(p.programme, is_uneven=True), p.device, p.threads, p.gpu, decode_on_gpu=False)


def instead(p: Pass, reason: FailureReason, *, software_threads: int) -> Pass | None:
    """How to make what a card failed at; None where that would fail alike, or in software with no threads for it.

    What it cannot decode it may still encode; what may be the fault of the input is first decoded by another decoder.
    """
    if reason in LOST_WRITES or not p.is_on_gpu:
        return None
    if p.decodes_on_gpu and reason in (FailureReason.HARDWARE_DECODING_FAILED, FailureReason.UNDECODABLE):
        return drawn(p.outputs, p.programme, p.device, p.threads, p.gpu, decode_on_gpu=False)
    if reason is FailureReason.UNDECODABLE or software_threads == 0:
        return None
    outputs = tuple(in_software(output) for output in p.outputs)
    return drawn(outputs, p.programme, Device.CPU, software_threads, p.gpu)
