"""Small inputs with pictures that can be told apart and tones that can be measured."""

from __future__ import annotations

from pathlib import Path

from tests.media.encoding import ffmpeg
from tests.unit.agent.media.builders import settings

PICTURE = settings(container="mp4", video={"codec": "h264", "quality": 12}, audio={"codec": "aac"})
SOUND = settings(container="wav", audio={"codec": "pcm"})
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-g", "12", "-bf", "2")


def movie(
    file: Path, seconds: float, *options: str, size: str = "160x90", rate: str = "25", tone: int | None = 440
) -> Path:
    """`options` go before the name: codecs, unless the usual ones are right."""
    picture = ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}")
    sound = () if tone is None else ("-f", "lavfi", "-i", f"sine=f={tone}:r=48000:d={seconds}")
    ffmpeg(*picture, *sound, *(options or (*H264, "-c:a", "aac")), str(file))
    return file


def tone(file: Path, seconds: float, hertz: int, *, rate: int = 48000) -> Path:
    ffmpeg("-f", "lavfi", "-i", f"sine=f={hertz}:r={rate}:d={seconds}", str(file))
    return file


def interlaced(file: Path, seconds: float, *, flag: str = "tff", weave: str = "interleave_top") -> Path:
    """Two fields of different times in every picture, which says so as `flag` tells."""
    flags = ("-flags", "+ildct+ilme") if flag != "prog" else ()
    filters = f"tinterlace={weave},setfield={flag},format=yuv420p"
    ffmpeg(*moving(50, seconds), "-vf", filters, "-c:v", "mpeg2video", "-q:v", "2", "-r", "25", *flags, str(file))
    return file


def moving(rate: int, seconds: float) -> tuple[str, ...]:
    """A flight into something round: no lines that look like fields."""
    flight = f"mandelbrot=s=320x192:r={rate}:start_scale=2:end_scale=0.1:end_pts={rate * 1.2}"
    return ("-f", "lavfi", "-t", f"{seconds}", "-i", flight)
