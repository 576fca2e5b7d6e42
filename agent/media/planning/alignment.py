"""Where renditions that players switch between start anew, and where they end: all of them at the same pictures.

Players wait at the end of a picture for the sound that is missing, or the other way round, and some never go on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from typing import Final

from agent.media.planning.planned import PlannedAudio, PlannedOutput, PlannedVideo
from shared.jobspec import Container
from shared.protocol import PlaylistSpec

TOLERANCE: Final = Fraction(1, 10)
"""Of its length by which a segment may become longer or shorter for the sake of the others."""
LEAST: Final = 0.1
"""Seconds that lengths of picture and sound differ by in ordinary files."""


def aligned(outputs: Sequence[PlannedOutput], playlists: Iterable[PlaylistSpec]) -> tuple[PlannedOutput, ...]:
    """Every segment a whole number of pictures, in each rendition of a playlist, as far as their rates allow it."""
    found = {output.index: output for output in outputs}
    for group in _groups(found, playlists):
        members = [found[index] for index in group]
        grid, end = _grid(members), _end(members)
        found |= {member.index: _until(end, replace(member, every=_every(member, members, grid))) for member in members}
    return tuple(found[output.index] for output in outputs)


def _groups(found: Iterable[int], playlists: Iterable[PlaylistSpec]) -> list[set[int]]:
    """Outputs that some playlist names together, and those that none names."""
    groups = [{index} for index in found]
    for playlist in playlists:
        named = set(playlist.outputs)
        together = [group for group in groups if group & named]
        groups = [group for group in groups if not group & named] + [set().union(*together)]
    return [group for group in groups if group]


def _grid(members: Sequence[PlannedOutput]) -> Fraction | None:
    """The highest rate at which all of them show a picture at the same time."""
    rates = [member.picture.rate for member in members if member.picture is not None]
    return reduce(_common_divisor, rates) if rates else None


def _every(member: PlannedOutput, members: Sequence[PlannedOutput], grid: Fraction | None) -> Fraction | None:
    wanted = _wanted(member, members)
    if wanted is None or grid is None:
        return wanted
    together = _whole(wanted, grid)
    if abs(together - wanted) <= wanted * TOLERANCE:
        return together
    return wanted if member.picture is None else _whole(wanted, member.picture.rate)


def _wanted(member: PlannedOutput, members: Sequence[PlannedOutput]) -> Fraction | None:
    """As the job says; where it says nothing and groups of pictures differ in length, the shortest of them."""
    if member.spec.segment_duration is not None:
        return Fraction(str(member.spec.segment_duration))
    lengths = {length for one in members if (length := _group_of_pictures(one)) is not None}
    return min(lengths) if len(lengths) > 1 else None


def _group_of_pictures(member: PlannedOutput) -> Fraction | None:
    settings = member.spec.settings.video
    if settings is None or member.picture is None or not settings.fixed_gop:
        return None
    return settings.keyframes_max_distance / member.picture.rate


def _whole(seconds: Fraction, rate: Fraction) -> Fraction:
    return max(1, round(seconds * rate)) / rate


def _common_divisor(one: Fraction, other: Fraction) -> Fraction:
    denominator = math.lcm(one.denominator, other.denominator)
    return Fraction(math.gcd(int(one * denominator), int(other * denominator)), denominator)


def _end(members: Sequence[PlannedOutput]) -> float | None:
    """Of the longest, where players fetch them in parts and their lengths are known."""
    ends = [part.seconds for member in members for part in (member.video, member.audio) if part is not None]
    known = [seconds for seconds in ends if seconds is not None]
    return max(known) if len(known) == len(ends) and all(map(_is_in_parts, members)) else None


def _is_in_parts(member: PlannedOutput) -> bool:
    return member.is_segmented or member.spec.settings.container is Container.FMP4


def _until(end: float | None, member: PlannedOutput) -> PlannedOutput:
    if end is None:
        return member
    return replace(member, video=_held(member.video, end), audio=_filled(member.audio, end))


def _held(video: PlannedVideo | None, end: float) -> PlannedVideo | None:
    if video is None or video.seconds is None or end - video.seconds < LEAST:
        return video
    return replace(video, seconds=end, held=round((end - video.seconds) * video.picture.rate))


def _filled(audio: PlannedAudio | None, end: float) -> PlannedAudio | None:
    if audio is None or audio.seconds is None or end - audio.seconds < LEAST:
        return audio
    return replace(audio, seconds=end, filled=end)
