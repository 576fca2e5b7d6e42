"""An input whose picture or sound becomes another kind midway: broadcasts go from stereo to 5.1 and back, from one size to another.

ffmpeg then draws the whole graph anew, and whatever counts in it begins again: a rate fills up all that was shown before with
copies, and sound with silence, which comes out as sound that has slipped. So a process of its own, in whose graph nothing
counts, makes the input one kind all through, and feeds it to the process that encodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from agent.media import argv
from agent.media.argv import Stream
from agent.media.facts import VideoFacts
from agent.media.filters import deinterlaced, joining
from agent.media.planning.opening import opened
from agent.media.planning.planned import Feeders
from agent.media.planning.programme import Part, Programme


def evened(
    shown: Programme, *, threads: int, picture: bool, sound: bool, every_field: bool
) -> tuple[Feeders, Programme]:
    """Who feeds a process, and the programme that is left to it. Pictures come upright, and not woven of fields."""
    [part] = shown.parts
    began = opened(shown, threads=threads, decoding={}, picture=picture, sound=sound)
    video = part.facts.video if picture else None
    audio = part.facts.audio if sound else None
    streams: list[Stream] = []
    if video is not None:
        streams.append(_even_picture(began.picture, video, every_field=every_field))
    if audio is not None:
        streams.append(joining.of_one_kind(began.sound, audio.sample_rate, audio.channels))
    sink = argv.pipe(
        streams,
        f"in/{Feeders.pipe(0)}",
        picture=video is not None,
        sound=audio is not None,
        threads=threads,
    )
    feeders = Feeders((argv.ffmpeg_argv([sink], threads=threads),), (Fraction(part.facts.duration or 0),))
    facts = replace(
        part.facts,
        format="nut",
        video=video and _upright(video),
        audio=audio and replace(audio, index=len(streams) - 1, codec="pcm"),
    )
    whole = replace(shown.whole, video=shown.whole.video and _upright(shown.whole.video))
    return feeders, replace(shown, parts=(Part(0, facts, fed=_tags(video)),), whole=whole)


def _even_picture(stream: Stream, video: VideoFacts, *, every_field: bool) -> Stream:
    if video.interlaced:
        stream = deinterlaced(stream, parity=video.parity, every_field=every_field, on_gpu=False)
    return stream.filter("scale", video.shown_width, video.shown_height).filter("format", video.pix_fmt)


def _upright(video: VideoFacts) -> VideoFacts:
    return replace(
        video,
        index=0,
        codec="rawvideo",
        width=video.shown_width,
        height=video.shown_height,
        pixel_aspect=video.shown_pixel_aspect,
        rotation=0,
        interlaced=False,
    )


def _tags(video: VideoFacts | None) -> Mapping[str, str]:
    """What pictures say of their colours, which does not come through pipes."""
    if video is None:
        return {}
    said = {
        "chroma_sample_location": video.chroma_location or "left",
        "color_primaries": video.primaries,
        "color_range": "pc" if video.full_range else None,
        "color_trc": video.transfer,
        "colorspace": video.color_space,
    }
    return {name: value for name, value in said.items() if value is not None}
