"""Whether this ffmpeg has everything that command lines of the service name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from agent.capacity.ffmpeg import USED, version_in
from agent.capacity.found import Surroundings
from agent.capacity.trial import try_out
from agent.doctor.finding import Finding, fact, failure, good
from agent.doctor.subject import Subject
from agent.media.argv import FORMATS, INPUT_GUARDS, STILL_FORMATS

OLDEST: Final = (5, 1)
FILTERS: Final = frozenset(
    {
        "aformat", "anull", "anullsrc", "apad", "aresample", "asetpts", "asplit", "atrim", "bwdif", "channelmap", "color",
        "colorchannelmixer", "colorspace", "concat", "crop", "format", "fps", "hflip", "idet", "interlace",
        "loudnorm", "metadata", "overlay", "pad", "palettegen", "paletteuse", "premultiply", "scale", "setparams",
        "setpts", "setsar", "split", "tile", "tonemap", "tpad", "transpose", "trim", "unpremultiply", "vflip",
        "volume", "zscale",
    }
)  # fmt: skip
MUXERS: Final = frozenset(
    {
        "flac", "flv", "framecrc", "gif", "h264", "hls", "image2", "mp2", "mp3", "mp4", "mpegts", "mxf", "null", "nut", "oga",
        "ogg", "srt", "vob", "wav", "webm",
    }
)  # fmt: skip
FED: Final = frozenset({"concat", "nut"})
"""Demuxers of what one ffmpeg writes for another."""
FEEDING_ENCODERS: Final = frozenset({"pcm_f32le", "rawvideo"})
CAPTION_ENCODERS: Final = frozenset({"mov_text", "subrip"})
CAPTION_FORMATS: Final = frozenset({"ffmetadata", "srt"})
BITSTREAM_FILTERS: Final = frozenset({"filter_units", "h264_mp4toannexb", "hevc_mp4toannexb"})
PROTOCOLS: Final = frozenset({"file", "pipe"})
_PATIENCE: Final = 30.0
_FIX: Final = "apt-get install ffmpeg (Debian 12's 5.1 or newer)"


async def check(subject: Subject) -> list[Finding]:
    around = subject.surroundings
    if around is None:
        return [fact("ffmpeg was not tried: it cannot be confined")]
    version, ended = await try_out(around, ["ffmpeg", "-hide_banner", "-version"], within=_PATIENCE)
    if not ended.is_success:
        said = ended.stderr.decode(errors="replace").strip()[-200:]
        return [failure(f"ffmpeg does not run: {said}", _FIX)]
    called = version_in(version.decode(errors="replace"))
    if is_too_old(called):
        return [failure(f"ffmpeg {called} is older than {'.'.join(map(str, OLDEST))}", _FIX)]
    missing = await _missing(around)
    lacks = [failure(f"ffmpeg {called} has no {what} {', '.join(names)}", _FIX) for what, names in missing.items()]
    return lacks or [good(f"ffmpeg {called} has every encoder, filter, format and option that is used")]


def is_too_old(version: str) -> bool:
    """Builds from the repository have a name instead of a number; they are new."""
    number = re.match(r"n?(\d+)\.(\d+)", version)
    return number is not None and (int(number[1]), int(number[2])) < OLDEST


async def _missing(around: Surroundings) -> Mapping[str, list[str]]:
    wanted = (
        ("encoder", "-encoders", USED | FEEDING_ENCODERS | CAPTION_ENCODERS),
        ("filter", "-filters", FILTERS),
        ("muxer", "-muxers", MUXERS),
        ("demuxer", "-demuxers", frozenset((*FORMATS, *STILL_FORMATS, *CAPTION_FORMATS, *FED, "lavfi"))),
        ("bitstream filter", "-bsfs", BITSTREAM_FILTERS),
        ("protocol", "-protocols", PROTOCOLS),
    )
    missing: dict[str, list[str]] = {}
    for what, option, names in wanted:
        listed, _ = await try_out(around, ["ffmpeg", "-hide_banner", option], within=_PATIENCE)
        missing[what] = sorted(names - listed_in(listed.decode(errors="replace")))
    helped, _ = await try_out(around, ["ffmpeg", "-hide_banner", "-h", "full"], within=_PATIENCE)
    known = {word for line in helped.decode(errors="replace").splitlines() for word in line.split(maxsplit=1)[:1]}
    missing["option"] = sorted(f"-{name}" for name in INPUT_GUARDS if f"-{name}" not in known)
    return {what: names for what, names in missing.items() if names}


def listed_in(output: str) -> set[str]:
    """First or second words of a table; demuxers of one family share a row: "mov,mp4,m4a"."""
    words = [line.split(maxsplit=2)[:2] for line in output.splitlines()]
    return {name for row in words for word in row for name in word.split(",")}
