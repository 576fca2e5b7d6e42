"""Tasks with playlists of short made-up films, and their results as players find them: every object under its key."""

from __future__ import annotations

import subprocess
from pathlib import Path

from shared.jobspec import PlaylistFormat, Settings
from shared.protocol import LicenseProtection, OutputSpec, PlaylistSpec, SegmentProtection, TranscodeFile
from tests.media.encoding import Made, ffmpeg, published, transcoded

KEY = bytes(range(16))
IV = bytes(range(100, 116))
SECONDS = 5.0

VIDEO = {
    "codec": "h264",
    "profile": "main",
    "quality": 30,
    "frame_rate": "25",
    "keyframes_max_distance": 25,
    "fixed_gop": True,
    "max_width": 192,
    "max_height": 108,
}
AUDIO = {"codec": "aac", "bit_rate": 64_000, "channels": 2, "sample_rate": 48_000}
SMALLER = {**VIDEO, "max_width": 128, "max_height": 72}


def film(target: Path, seconds: float = SECONDS, heard: float | None = None) -> Path:
    """A picture that never stands still, with a tone that is heard as long, or otherwise."""
    picture = ("-f", "lavfi", "-i", f"testsrc2=size=192x108:rate=25:duration={seconds}")
    sound = ("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={heard or seconds}")
    ffmpeg(
        *picture, *sound, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(target)
    )
    return target


def an_output(
    index: int, key: str, container: str, *, segment: float | None = 2.0, video: object = None, audio: object = None
) -> OutputSpec:
    settings = Settings.model_validate({"container": container, "video": video, "audio": audio}, strict=False)
    return OutputSpec(index=index, key=key, settings=settings, segment_duration=segment)


def a_playlist(
    form: PlaylistFormat,
    outputs: int | tuple[int, ...],
    *,
    key: str,
    index: int = 0,
    hls_protection: SegmentProtection | None = None,
    license_protection: LicenseProtection | None = None,
) -> PlaylistSpec:
    named = tuple(range(outputs)) if isinstance(outputs, int) else outputs
    return PlaylistSpec(
        index=index,
        key=key,
        format=form,
        outputs=named,
        hls_protection=hls_protection,
        license_protection=license_protection,
    )


def site(root: Path, source: Path, *outputs: OutputSpec, playlists: tuple[PlaylistSpec, ...]) -> tuple[Path, Made]:
    """The folder that a player would see, and what was reported."""
    made = transcoded(root / "job", source, TranscodeFile(outputs=outputs, playlists=playlists))
    assert made.failures == {}
    assert [playlist.failure for playlist in made.playlists.values()] == [None] * len(playlists)
    published(made, root / "site")
    return root / "site", made


def cut(file: Path, offset: int, size: int) -> bytes:
    return file.read_bytes()[offset : offset + size]


def frame_hashes(*options: str, stream: str = "v", cwd: Path | None = None) -> list[str]:
    """Of every decoded frame of an input."""
    argv = ["ffmpeg", "-v", "error", "-xerror", *options, "-map", f"0:{stream}", "-f", "framemd5", "-"]
    ended = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, cwd=cwd, check=True)
    return [line.rpartition(",")[2].strip() for line in ended.stdout.decode().splitlines() if not line.startswith("#")]
