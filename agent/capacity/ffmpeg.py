"""Which ffmpeg this node has, and which of the software encoders that the service uses are in it."""

from __future__ import annotations

from typing import Final

from agent.capacity.found import Found, Surroundings
from agent.capacity.trial import try_out

USED: Final = frozenset(
    {
        "aac", "flac", "gif", "libmp3lame", "libopus", "libsvtav1", "libvorbis", "libvpx", "libvpx-vp9", "libx264",
        "libx265", "mjpeg", "mp2", "mpeg2video",
        "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_u8", "png",
    }
)  # fmt: skip
_PATIENCE: Final = 20.0


class NoFfmpeg(Exception):
    """There is no ffmpeg that runs."""


async def probe(around: Surroundings) -> Found:
    version, ended = await try_out(around, ["ffmpeg", "-hide_banner", "-version"], within=_PATIENCE)
    if not ended.is_success:
        raise NoFfmpeg(f"ffmpeg does not run: {ended.stderr.decode(errors='replace')[-300:]}")
    listed, _ = await try_out(around, ["ffmpeg", "-hide_banner", "-encoders"], within=_PATIENCE)
    return Found(ffmpeg_version=version_in(version.decode()), encoders=encoders_in(listed.decode()))


def version_in(output: str) -> str:
    """The third word of "ffmpeg version 5.1.9-0+deb12u1 Copyright …"."""
    words = output.split(maxsplit=3)
    return words[2] if words[:2] == ["ffmpeg", "version"] else "unknown"


def encoders_in(output: str) -> tuple[str, ...]:
    """Names after the flags, in the table below the line of dashes."""
    _, _, table = output.partition("------")
    names = {words[1] for line in table.splitlines() if len(words := line.split(maxsplit=2)) > 1}
    return tuple(sorted(names & USED))
