"""Whether an output is what was planned. ffmpeg's exit code proves nothing: on a full disk it is 0 for some muxers.

The streams are counted packet by packet, every segment is accounted for, and what does not add up is blamed on the input when the
output is sound but short, and on the node when the output contradicts itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.media import argv, boxes, diagnosis, hls
from agent.media.boxes import NotIndexed
from agent.media.planning import OUT, PlannedAudio, PlannedOutput, PlannedThumbnails, PlannedVideo
from agent.media.sprites import Sheets
from shared.failures import Cause, Failure, FailureCode, FailureReason
from shared.jobspec import Container

Read = Callable[[str, int, int], bytes]
"""Name in out/, offset, length: at most so many bytes of the file."""

SEGMENTS_PER_PROBE: Final = 1000
"""One argument of a process holds at most 128 KiB of names."""
SLACK_SECONDS: Final = 0.5
SLACK_FRAMES: Final = 2
SLACK_SHARE: Final = 0.01


@dataclass(frozen=True)
class Inspection:
    """One run of ffprobe whose answer is needed."""

    name: str
    argv: list[str]


@dataclass(frozen=True)
class File:
    name: str
    size: int


@dataclass(frozen=True)
class Segment:
    name: str
    size: int
    seconds: float


@dataclass(frozen=True)
class Verified:
    """An output that is what was planned."""

    output: PlannedOutput
    duration: float
    size: int
    segments: tuple[Segment, ...]
    """Empty, where the output is one file."""
    thumbnails: tuple[File, ...]
    sheets: Sheets | None = None


class _Fault(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def inspections(output: PlannedOutput, files: Mapping[str, int]) -> tuple[Inspection, ...]:
    if not output.is_segmented:
        guards = argv.INPUT_GUARDS
        return (Inspection(f"o{output.index}", _counting(f"file:{OUT}/{output.file}", guards)),)
    guards = argv.INPUT_GUARDS | {"protocol_whitelist": "file,concat", "format_whitelist": "mpegts"}
    names = _segment_names(output, files)
    return tuple(
        Inspection(
            f"o{output.index}.{start}", _counting("concat:" + "|".join(f"{OUT}/{name}" for name in chunk), guards)
        )
        for start in range(0, len(names), SEGMENTS_PER_PROBE)
        if (chunk := names[start : start + SEGMENTS_PER_PROBE])
    )


def media_files(output: PlannedOutput, files: Mapping[str, int]) -> tuple[str, ...]:
    """The one file of an output, or its segments in their order."""
    return tuple(_segment_names(output, files)) if output.is_segmented else (output.file,)


def judge(
    output: PlannedOutput,
    files: Mapping[str, int],
    probes: Mapping[str, bytes],
    *,
    read: Read,
    stderr_tail: bytes = b"",
) -> Verified | Failure:
    try:
        return _judged(output, files, probes, read, stderr_tail)
    except _Fault as fault:
        return fault.failure


def _judged(
    output: PlannedOutput, files: Mapping[str, int], probes: Mapping[str, bytes], read: Read, stderr_tail: bytes
) -> Verified:
    complaint = diagnosis.complaint(stderr_tail)
    if complaint in diagnosis.LOST_WRITES:
        raise _Fault(diagnosis.FAILURES[complaint])
    if not files.get(output.file):
        raise _unwritten()
    if output.spec.settings.container is Container.FMP4:
        _check_fragments(output, files[output.file], read)
    segments = _segments(output, files, read)
    answers = [_decoded(probes.get(inspection.name, b"")) for inspection in inspections(output, files)]
    counted = _counted(output, answers)
    declared = sum(segment.seconds for segment in segments) or _declared(answers)
    _check_whole(counted, declared)
    _check_planned(output, counted)
    thumbnails = () if output.thumbnails is None else _thumbnails(output, output.thumbnails, files, read)
    size = sum(segment.size for segment in segments) or files[output.file]
    return Verified(output, round(_duration(output, counted, declared), 3), size, segments, thumbnails)


def _duration(output: PlannedOutput, counted: _Counted, declared: float) -> float:
    """Without the packet that encoders of sound put in front and what fills up the last one: as planned, else as declared."""
    planned = (output.audio and output.audio.seconds) or output.source_seconds or declared
    heard = counted.audio_seconds or 0.0
    return max(counted.video_seconds or 0.0, min(heard, planned) if planned else heard)


# What is there --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Counted:
    """What the packets amount to; None of a kind that the output does not carry."""

    video_seconds: float | None
    audio_seconds: float | None

    @property
    def seconds(self) -> float:
        return max(self.video_seconds or 0.0, self.audio_seconds or 0.0)


def _counted(output: PlannedOutput, answers: Sequence[dict[str, Any]]) -> _Counted:
    if not answers:
        raise _unwritten()
    video_seconds = audio_seconds = None
    if output.video is not None:
        frames = sum(_video_packets(output.video, answer) for answer in answers)
        video_seconds = float(frames / output.video.picture.rate)
    if output.audio is not None:
        audio_seconds = sum(_audio_seconds(output.audio, answer) for answer in answers)
    expected = (output.video is not None) + (output.audio.tracks if output.audio is not None else 0)
    expected += output.caption_tracks
    if any(len(_streams(answer)) != expected for answer in answers):
        raise _unlike("it has other streams than planned")
    return _Counted(video_seconds, audio_seconds)


def _video_packets(planned: PlannedVideo, answer: dict[str, Any]) -> int:
    stream = next((s for s in _streams(answer) if s.get("codec_type") == "video"), None)
    if stream is not None and not _packets(stream):
        raise _input_fault(FailureCode.INPUT_UNHANDLED, "No picture came of the input, or of the part that is used.")
    if stream is None or stream.get("codec_name") != planned.encoder.probed_as:
        raise _unlike("its picture is missing or of another codec")
    frame = planned.picture.sizing.frame
    if (stream.get("width"), stream.get("height")) != (frame.width, frame.height):
        raise _unlike(f"its picture is not {frame}")
    return _packets(stream)


def _audio_seconds(planned: PlannedAudio, answer: dict[str, Any]) -> float:
    tracks = [s for s in _streams(answer) if s.get("codec_type") == "audio"]
    made = {(s.get("codec_name"), s.get("channels"), s.get("sample_rate")) for s in tracks}
    if made != {(planned.encoder.probed_as, planned.channels, str(planned.sample_rate))}:
        raise _unlike("its sound is missing or of another kind", FailureReason.UNEVEN)
    return min(_track_seconds(planned, track, answer) for track in tracks)


def _track_seconds(planned: PlannedAudio, track: dict[str, Any], answer: dict[str, Any]) -> float:
    """Counted where packets have one length; else as the container says."""
    if planned.encoder.packet_samples is None:
        return _number(track.get("duration")) or _declared([answer]) if _packets(track) else 0.0
    halved = planned.encoder.probed_as == "mp3" and planned.sample_rate < 32000
    return _packets(track) * planned.encoder.packet_samples / planned.sample_rate / (2 if halved else 1)


def _segments(output: PlannedOutput, files: Mapping[str, int], read: Read) -> tuple[Segment, ...]:
    """Every segment that ffmpeg's playlist names, in its order; all there, none empty, none unnamed."""
    if not output.is_segmented:
        return ()
    entries, ended = hls.entries(read(output.file, 0, files[output.file]))
    named = [name for name, _ in entries]
    if not ended or not named or named != _segment_names(output, files) or not all(files[name] for name in named):
        raise _unwritten()
    return tuple(Segment(name, files[name], seconds) for name, seconds in entries)


def _segment_names(output: PlannedOutput, files: Mapping[str, int]) -> list[str]:
    pattern = re.compile(rf"o{output.index}_\d{{5,}}\.ts")
    return sorted(name for name in files if pattern.fullmatch(name))


def _check_fragments(output: PlannedOutput, size: int, read: Read) -> None:
    """An index in front, and all of the bytes that it speaks of."""
    try:
        index = boxes.index_of(lambda offset, length: read(output.file, offset, length))
    except NotIndexed as error:
        raise _unwritten() from error
    if index.index.last + sum(reference.size for reference in index.references) >= size:
        raise _unwritten()


def _thumbnails(
    output: PlannedOutput, planned: PlannedThumbnails, files: Mapping[str, int], read: Read
) -> tuple[File, ...]:
    extension = planned.spec.settings.format
    pattern = re.compile(rf"t{output.index}_\d{{5,}}\.{extension}")
    made = sorted(name for name in files if pattern.fullmatch(name))
    if made != [f"t{output.index}_{count:05d}.{extension}" for count in range(1, len(made) + 1)]:
        raise _unwritten()
    if not made or (planned.count is not None and abs(len(made) - planned.count) > 1):
        raise _unlike(f"it has {len(made)} thumbnails instead of {planned.count or 'some'}")
    whole = _is_whole_png if extension == "png" else _is_whole_jpg
    if not all(files[name] and whole(name, files[name], planned, read) for name in made):
        raise _unwritten()
    return tuple(File(name, files[name]) for name in made)


def _is_whole_png(name: str, size: int, planned: PlannedThumbnails, read: Read) -> bool:
    header, end = read(name, 0, 24), read(name, max(0, size - 8), 8)
    frame = planned.sizing.frame
    dimensions = frame.width.to_bytes(4, "big") + frame.height.to_bytes(4, "big")
    return header[:8] == b"\x89PNG\r\n\x1a\n" and header[16:24] == dimensions and end[:4] == b"IEND"


def _is_whole_jpg(name: str, size: int, planned: PlannedThumbnails, read: Read) -> bool:
    return read(name, 0, 2) == b"\xff\xd8" and read(name, max(0, size - 2), 2) == b"\xff\xd9"


# What it means --------------------------------------------------------------------------------------------------------


def _check_whole(counted: _Counted, declared: float) -> None:
    """An output that says it is longer than its packets are was not written to its end. In one that says it is shorter,
    packets lie upon each other: times went back, or the sound or the picture of the input became another kind in its midst.
    """
    if declared - counted.seconds > _slack(declared):
        raise _unwritten()
    if declared and counted.seconds - declared > _slack(declared):
        raise _Fault(UNEVEN)


def _check_planned(output: PlannedOutput, counted: _Counted) -> None:
    if 0 in (counted.video_seconds, counted.audio_seconds):
        raise _Fault(diagnosis.FAILURES[FailureReason.UNDECODABLE])
    video, audio = output.video, output.audio
    if video is not None and video.seconds is not None:
        least = SLACK_SECONDS if output.longest else SLACK_FRAMES / float(video.picture.rate)
        slack = max(least, _share(output, video.seconds))
        _compare(counted.video_seconds or 0.0, video.seconds, slack)
    if audio is not None and audio.seconds is not None:
        _compare(counted.audio_seconds or 0.0, audio.seconds, max(SLACK_SECONDS, _share(output, audio.seconds)))
    if output.seconds is None and output.source_seconds is not None:
        slack = max(SLACK_SECONDS, _share(output, output.source_seconds))
        _compare(counted.seconds, output.source_seconds, slack)


UNEVEN: Final = Failure(
    cause=Cause.INPUT,
    code=FailureCode.INPUT_UNHANDLED,
    message="Times in the input go back, or its sound or picture changes its kind midway. Remux or convert it first.",
    reason=FailureReason.UNEVEN,
)


def _share(output: PlannedOutput, seconds: float) -> float:
    return SLACK_SHARE * min(seconds, output.longest or seconds)


def _compare(made: float, promised: float, slack: float) -> None:
    """What the output has of one kind with what the input's container promises of it."""
    if promised - made > slack:
        raise _input_fault(
            FailureCode.BAD_INPUT_FORMAT,
            f"The input ends after {made:.1f} s of the {promised:.1f} s that it promises; upload the whole file again.",
        )
    if made - promised > slack:
        raise _input_fault(
            FailureCode.INPUT_UNHANDLED,
            f"The input's time stamps are damaged: {made:.1f} s came out, not {promised:.1f} s. Remux it and upload it again.",
        )


def _input_fault(code: FailureCode, message: str) -> _Fault:
    return _Fault(Failure(cause=Cause.INPUT, code=code, message=message))


def _unwritten() -> _Fault:
    message = "The output was not written whole on the node."
    return _Fault(Failure(cause=Cause.NODE, code=FailureCode.NODE_FAULT, message=message))


def _unlike(difference: str, reason: FailureReason | None = None) -> _Fault:
    message = f"The output is not what was asked for: {difference}."
    return _Fault(Failure(cause=Cause.UNKNOWN, code=FailureCode.INTERNAL, message=message, reason=reason))


def _slack(seconds: float) -> float:
    return max(SLACK_SECONDS, SLACK_SHARE * seconds)


# ffprobe --------------------------------------------------------------------------------------------------------------


def _counting(file: str, guards: dict[str, Any]) -> list[str]:
    return argv.ffprobe_argv(file, "-count_packets", "-show_format", "-show_streams", guards=guards)


def _decoded(answer: bytes) -> dict[str, Any]:
    try:
        decoded = json.loads(answer.decode("utf-8", "replace"))
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _streams(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return answer.get("streams") or []


def _packets(stream: dict[str, Any]) -> int:
    return int(stream.get("nb_read_packets") or 0)


def _declared(answers: Sequence[dict[str, Any]]) -> float:
    return sum(_number(answer.get("format", {}).get("duration")) for answer in answers)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0
