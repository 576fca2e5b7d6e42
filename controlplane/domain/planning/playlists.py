"""Which outputs go together in which playlist. A new format is a new row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Final

from controlplane.domain.parts import same_stretch
from shared.errors import InvalidField
from shared.jobspec import (
    AudioCodec,
    Container,
    Output,
    Playlist,
    PlaylistFormat,
    Settings,
    VideoCodec,
    VideoSettings,
)

Wanted = tuple[Output, Settings]
"""An output as it was sent, and what its preset says."""


def check_playlist(playlist: Playlist, outputs: Sequence[Output], chosen: Sequence[Settings], where: str) -> None:
    """Raises InvalidField at the first output that cannot be in it."""
    named = {output.key: (output, settings) for output, settings in zip(outputs, chosen, strict=True)}
    for position, key in enumerate(playlist.output_keys):
        pointer = f"{where}/output_keys/{position}"
        if key not in named:
            raise InvalidField(f"No output of this job has the key {key!r}.", pointer=pointer)
        if key in playlist.output_keys[:position]:
            raise InvalidField("A playlist names an output once.", pointer=pointer)
        problem = (
            MEMBERS[playlist.format](named[key])
            or _unlicensable(playlist, named[key])
            or _unlike(playlist.format, named[key], named[playlist.output_keys[0]])
            or _otherwise_captioned(named[key], playlist, named)
        )
        if problem:
            raise InvalidField(problem, pointer=pointer)


def _in_segments(wanted: Wanted) -> str | None:
    output, settings = wanted
    if settings.container is not Container.TS or output.segment_duration is None:
        return "An HLS playlist takes ts outputs with a `segment_duration`."
    return None


def _in_fragments(wanted: Wanted) -> str | None:
    _, settings = wanted
    return None if settings.container is Container.FMP4 else "A playlist of this format takes fmp4 outputs."


def _in_one_track(wanted: Wanted) -> str | None:
    _, settings = wanted
    if settings.video is not None and settings.audio is not None:
        return "A CMAF playlist takes outputs of picture or of sound: every file of it has one track."
    return _in_fragments(wanted)


def _for_servers(wanted: Wanted) -> str | None:
    problem = _in_fragments(wanted)
    if problem is None and not _is_plain(wanted[1]):
        return "A Smooth playlist takes h264 and aac: its manifest has no words for other codecs."
    return problem


def _unlicensable(playlist: Playlist, wanted: Wanted) -> str | None:
    if playlist.play_ready_drm is None or _is_plain(wanted[1]):
        return None
    return "Outputs that are protected with licences are h264 and aac."


def _is_plain(settings: Settings) -> bool:
    video, audio = settings.video, settings.audio
    return (video is None or video.codec is VideoCodec.H264) and (audio is None or audio.codec is AudioCodec.AAC)


MEMBERS: Final[Mapping[PlaylistFormat, Callable[[Wanted], str | None]]] = {
    PlaylistFormat.HLS_V3: _in_segments,
    PlaylistFormat.HLS_V4: _in_segments,
    PlaylistFormat.MPEG_DASH: _in_fragments,
    PlaylistFormat.SMOOTH: _for_servers,
    PlaylistFormat.CMAF: _in_one_track,
}
"""Why an output cannot be in a playlist of a format, or None."""


def _otherwise_captioned(wanted: Wanted, playlist: Playlist, named: Mapping[str, Wanted]) -> str | None:
    """Outputs of sound only have no captions, and go with those that have some."""
    output, settings = wanted
    pictured = (named[key] for key in playlist.output_keys if key in named and named[key][1].video is not None)
    first = next(pictured, wanted)
    if settings.video is None or output.captions == first[0].captions:
        return None
    return "All outputs of a playlist have the same `captions`."


def _unlike(playlist_format: PlaylistFormat, wanted: Wanted, first: Wanted) -> str | None:
    """What an output does not have in common with the first one of its playlist."""
    (output, settings), (other, others) = wanted, first
    if output.encryption is not None:
        return "No player reads an output that is encrypted as a file; protect the playlist instead."
    if output.segment_duration != other.segment_duration:
        return "All outputs of a playlist have the same `segment_duration`."
    if not same_stretch(output.clip, other.clip):
        return "All outputs of a playlist have the same `clip`."
    if playlist_format is not PlaylistFormat.SMOOTH or settings.video is None or others.video is None:
        return None
    if settings.video.profile != others.video.profile:
        return "All outputs of a Smooth playlist have the same video `profile`."
    if _key_frames(settings.video) != _key_frames(others.video):
        return "All outputs of a Smooth playlist have key frames at the same times."
    return None


def _key_frames(video: VideoSettings) -> Fraction | tuple[str, int]:
    """Seconds between them, where the rate is known before the input is."""
    if video.frame_rate == "auto":
        return (video.max_frame_rate or "auto", video.keyframes_max_distance)
    return video.keyframes_max_distance / Fraction(video.frame_rate)
