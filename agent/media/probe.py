"""What an input is: ffprobe's command line, and the reading of its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

from agent.media import argv
from agent.media.facts import RGB_FORMATS, AudioFacts, CaptionFacts, Cover, MediaFacts, MediaRefused, VideoFacts
from agent.media.framerate import constant_rate
from shared.failures import Cause, Failure, FailureCode
from shared.languages import UNDETERMINED, is_language
from shared.protocol import DetectedProperties

_GUESSING_FORMATS: Final = frozenset(
    {"aac", "ac3", "amr", "eac3", "h264", "hevc", "m4v", "mp3", "mpeg", "mpegts", "mpegvideo"}
)
"""Formats without a duration of their own: ffprobe estimates one from a bit rate or from the last timestamps."""
_REFUSALS: Final = (
    # what ffprobe complained of, code, message
    (
        b"not on whitelist",
        FailureCode.BAD_INPUT_FORMAT,
        "The input is not a movie or sound file but a playlist or another kind of file; upload the media file itself.",
    ),
    (
        b"moov atom not found",
        FailureCode.BAD_INPUT_FORMAT,
        "The input is incomplete: the index that its format keeps at the end is missing. Upload the whole file again.",
    ),
    (
        b"Picture size",
        FailureCode.PICTURE_TOO_LARGE,
        "The input's picture is larger than 7680x4320 pixels; make it smaller and upload it again.",
    ),
)
_NOT_MEDIA: Final = (
    FailureCode.BAD_INPUT_FORMAT,
    "The input is not a movie or sound file that can be read; check that the right file was uploaded, and whole.",
)


def ffprobe_argv(path: str, demuxer: str | None = None) -> list[str]:
    """Asks for everything about the file at `path`, which is a name of ours; read as one format only, where that is named."""
    forced = ("-f", demuxer) if demuxer else ()
    return argv.ffprobe_argv(f"file:{path}", *forced, "-show_format", "-show_streams", guards=argv.INPUT_GUARDS)


def parse_probe(output: bytes, *, size: int, stderr: bytes = b"", container: str = "auto") -> MediaFacts:
    """The facts in ffprobe's answer; raises MediaRefused where there is nothing to work on.

    `container`: what its sender says that it is, and it was read as.
    """
    if size == 0:
        raise _refused(FailureCode.BAD_INPUT_FORMAT, "The input is empty (0 bytes); upload the file again.")
    try:
        return _parsed(output, size, stderr)
    except MediaRefused as refused:
        if container == "auto":
            raise
        message = (
            f'The input cannot be read as {container}, which its `container` says; correct that, or leave it at "auto".'
        )
        raise _refused(FailureCode.BAD_INPUT_FORMAT, message) from refused


def _parsed(output: bytes, size: int, stderr: bytes) -> MediaFacts:
    answer = _decoded(output)
    streams: list[dict[str, Any]] = answer.get("streams") or []
    format_name = str(answer.get("format", {}).get("format_name", ""))
    if not streams or not format_name:
        _refuse_by(stderr)
    if len(streams) > argv.MAX_STREAMS:
        raise _refused(
            FailureCode.INPUT_UNSUPPORTED, f"The input has more than {argv.MAX_STREAMS} streams; remove some."
        )
    begin = _seconds(answer["format"].get("start_time")) or 0.0
    video = next((video for stream in sorted(streams, key=_rank) if (video := _video(stream, begin))), None)
    if video is not None:
        video = replace(video, bit_rate=_bit_rate(video.index, streams, answer["format"]))
    audio = next((audio for stream in sorted(streams, key=_rank) if (audio := _audio(stream, begin))), None)
    if video is None and audio is None:
        _refuse_by(stderr)
    return MediaFacts(
        format=format_name,
        size=size,
        duration=_seconds(answer["format"].get("duration")) or None,
        duration_is_exact=not _GUESSING_FORMATS.intersection(format_name.split(",")),
        video=video,
        audio=audio,
        covers=tuple(cover for stream in streams if (cover := _cover(stream))),
        captions=tuple(captions for stream in streams if (captions := _captions(stream))),
    )


def detected(facts: MediaFacts) -> DetectedProperties:
    video = facts.video
    return DetectedProperties(
        width=video and video.shown_width,
        height=video and video.shown_height,
        frame_rate=video and round(float(video.frame_rate), 3),
        duration=facts.duration,
        size=facts.size,
    )


def _decoded(output: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(output.decode("utf-8", "replace"))
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _refuse_by(stderr: bytes) -> None:
    for complaint, code, message in _REFUSALS:
        if complaint in stderr:
            raise _refused(code, message)
    raise _refused(*_NOT_MEDIA)


def _refused(code: FailureCode, message: str) -> MediaRefused:
    return MediaRefused(Failure(cause=Cause.INPUT, code=code, message=message))


STILL_CODECS: Final = frozenset({"bmp", "gif", "mjpeg", "png", "tiff", "webp"})
"""Of covers that do not say that they are: beside other pictures, these are not the film."""


def _rank(stream: Mapping[str, Any]) -> tuple[bool, bool]:
    """The lowest is taken, and of several the first: no still, and what the file calls its default."""
    return stream.get("codec_name") in STILL_CODECS, not stream.get("disposition", {}).get("default")


def _video(stream: Mapping[str, Any], begin: float) -> VideoFacts | None:
    """A stream of moving pictures that can be decoded; covers of albums are none."""
    if stream.get("codec_type") != "video" or stream.get("disposition", {}).get("attached_pic"):
        return None
    width, height = int(stream.get("width", 0)), int(stream.get("height", 0))
    if width <= 0 or height <= 0 or not stream.get("codec_name") or not stream.get("pix_fmt"):
        return None
    if width * height > argv.MAX_PIXELS:
        _refuse_by(b"Picture size")
    return VideoFacts(
        index=int(stream["index"]),
        codec=str(stream["codec_name"]),
        width=width,
        height=height,
        pixel_aspect=_ratio(stream.get("sample_aspect_ratio"), ":") or Fraction(1),
        rotation=_rotation(stream),
        frame_rate=constant_rate(
            average=_ratio(stream.get("avg_frame_rate"), "/"), base=_ratio(stream.get("r_frame_rate"), "/")
        ),
        pix_fmt=str(stream["pix_fmt"]),
        interlaced=stream.get("field_order") in ("tt", "bb", "tb", "bt"),
        full_range=stream.get("color_range") == "pc" and not str(stream["pix_fmt"]).startswith(RGB_FORMATS),
        color_space=_known(stream.get("color_space")),
        duration=_stream_seconds(stream),
        frames=int(stream["nb_frames"]) if str(stream.get("nb_frames", "")).isdigit() else None,
        start=max(0.0, (_seconds(stream.get("start_time")) or 0.0) - begin),
        primaries=_known(stream.get("color_primaries")),
        transfer=_known(stream.get("color_transfer")),
        chroma_location=_known(stream.get("chroma_location")),
    )


def _bit_rate(index: int, streams: Sequence[Mapping[str, Any]], whole: Mapping[str, Any]) -> int | None:
    """Of one stream; where it does not say, what the others leave of the file's."""
    rates = {int(stream["index"]): int(_seconds(stream.get("bit_rate")) or 0) for stream in streams}
    left = int(_seconds(whole.get("bit_rate")) or 0) - sum(rates.values())
    return rates[index] or max(left, 0) or None


def _cover(stream: Mapping[str, Any]) -> Cover | None:
    if stream.get("codec_type") != "video" or not stream.get("disposition", {}).get("attached_pic"):
        return None
    width, height = int(stream.get("width", 0)), int(stream.get("height", 0))
    return Cover(int(stream["index"]), str(stream.get("codec_name")), width, height) if width and height else None


def _audio(stream: Mapping[str, Any], begin: float) -> AudioFacts | None:
    channels, sample_rate = int(stream.get("channels", 0)), str(stream.get("sample_rate", ""))
    if (
        stream.get("codec_type") != "audio"
        or not stream.get("codec_name")
        or channels <= 0
        or not sample_rate.isdigit()
        or int(sample_rate) == 0
    ):
        return None
    return AudioFacts(
        index=int(stream["index"]),
        codec=str(stream["codec_name"]),
        channels=channels,
        sample_rate=int(sample_rate),
        duration=_stream_seconds(stream),
        start=max(0.0, (_seconds(stream.get("start_time")) or 0.0) - begin),
    )


TEXT_CODECS: Final = frozenset({"ass", "eia_608", "mov_text", "srt", "ssa", "subrip", "text", "webvtt"})
"""Of subtitles; those that are pictures cannot be read."""


def _captions(stream: Mapping[str, Any]) -> CaptionFacts | None:
    if stream.get("codec_type") != "subtitle" or stream.get("codec_name") not in TEXT_CODECS:
        return None
    tags = stream.get("tags", {})
    language = str(tags.get("language", UNDETERMINED)).lower().partition("-")[0]
    label = " ".join(str(tags.get("title", "")).split())[:LONGEST_LABEL]
    return CaptionFacts(
        index=int(stream["index"]),
        codec=str(stream["codec_name"]),
        language=language if is_language(language) else UNDETERMINED,
        label=label if label.isprintable() and label else None,
    )


LONGEST_LABEL: Final = 40


def _rotation(stream: Mapping[str, Any]) -> int:
    """ffprobe counts anticlockwise degrees in the display matrix; we count clockwise quarter turns."""
    for side_data in stream.get("side_data_list", ()):
        if "rotation" in side_data:
            return round(-float(side_data["rotation"]) / 90) * 90 % 360
    return 0


def _stream_seconds(stream: Mapping[str, Any]) -> float | None:
    tag = str(stream.get("tags", {}).get("DURATION", ""))  # where Matroska keeps it: "00:00:05.280000000"
    return _seconds(stream.get("duration")) or _clock_seconds(tag)


def _seconds(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _clock_seconds(value: str) -> float | None:
    parts = [_seconds(part) for part in value.split(":")]
    if len(parts) != 3 or None in parts:
        return None
    hours, minutes, seconds = (part or 0.0 for part in parts)
    return hours * 3600 + minutes * 60 + seconds


def _ratio(value: object, separator: str) -> Fraction | None:
    numerator, _, denominator = str(value).partition(separator)
    if not numerator.isdigit() or not denominator.isdigit() or int(numerator) == 0 or int(denominator) == 0:
        return None
    return Fraction(int(numerator), int(denominator))


def _known(value: object) -> str | None:
    return None if value in (None, "unknown", "reserved", "unspecified") else str(value)
