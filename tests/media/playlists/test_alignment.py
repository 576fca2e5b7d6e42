"""Renditions of one playlist are cut at the same frames, at rates that no whole number of seconds divides, and end together."""

from __future__ import annotations

from pathlib import Path

import m3u8
import pytest

from shared.jobspec import PlaylistFormat
from tests.fields import shows
from tests.media.encoding import key_frame_times
from tests.media.playlists.sites import (
    AUDIO,
    SMALLER,
    VIDEO,
    a_playlist,
    an_output,
    cut,
    film,
    frame_hashes,
    site,
)

pytestmark = pytest.mark.media

RATES = ("29.97", "23.97")
GROUPS = {"keyframes_max_distance": 40, "fixed_gop": True}
"""Of which no whole number makes two seconds."""


@shows("outputs[].segment_duration")
@pytest.mark.parametrize("rate", RATES)
def test_no_rendition_differs_by_a_frame_in_its_boundaries(source: Path, tmp_path: Path, rate: str) -> None:
    sizes = (VIDEO, SMALLER)
    streams = [
        an_output(n, f"s{n}", "ts", segment=1.5, video={**size, "frame_rate": rate}) for n, size in enumerate(sizes)
    ]
    files = [
        an_output(2 + n, f"f{n}.mp4", "fmp4", segment=1.5, video={**size, "frame_rate": rate})
        for n, size in enumerate(sizes)
    ]
    playlists = (
        a_playlist(PlaylistFormat.HLS_V4, (0, 1), key="streams.m3u8"),
        a_playlist(PlaylistFormat.CMAF, (2, 3), key="files.m3u8", index=1),
    )
    folder, _ = site(tmp_path, source, *streams, *files, playlists=playlists)
    of_streams = [frames_of_ranges(folder, f"s{n}_v4.m3u8", tmp_path) for n in range(2)]
    of_files = [frames_of_ranges(folder, f"f{n}.mp4.m3u8", tmp_path) for n in range(2)]
    assert of_streams[0] == of_streams[1] == of_files[0] == of_files[1]
    assert len(of_streams[0]) == 4, "three whole segments, and what is left of five seconds"


@shows("settings.video.keyframes_max_distance")
def test_every_codec_starts_its_segments_alike_where_groups_would_not_fill_them(source: Path, tmp_path: Path) -> None:
    codecs = ("h264", "hevc", "av1")
    outputs = [
        an_output(n, f"{codec}.mp4", "fmp4", video=SMALLER | {"codec": codec, "profile": None, **GROUPS})
        for n, codec in enumerate(codecs)
    ]
    playlists = (a_playlist(PlaylistFormat.CMAF, len(codecs), key="index.m3u8"),)
    folder, _ = site(tmp_path, source, *outputs, playlists=playlists)
    for codec in codecs:
        assert frames_of_ranges(folder, f"{codec}.mp4.m3u8", tmp_path) == [50, 50, 25]
        assert key_frame_times(folder / f"{codec}.mp4") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("picture", "sound"), [(2.0, 5.0), (5.0, 2.0)], ids=["the sound", "the picture"])
def test_picture_and_sound_last_as_long_as_the_longer(tmp_path: Path, picture: float, sound: float) -> None:
    """Players wait for what is missing, and some never go on."""
    outputs = (
        an_output(0, "both", "ts", video=VIDEO, audio=AUDIO),
        an_output(1, "v.mp4", "fmp4", video=VIDEO),
        an_output(2, "a.mp4", "fmp4", audio=AUDIO),
    )
    playlists = (
        a_playlist(PlaylistFormat.HLS_V4, (0,), key="both.m3u8"),
        a_playlist(PlaylistFormat.CMAF, (1, 2), key="apart.m3u8", index=1),
    )
    folder, made = site(tmp_path, film(tmp_path / "film.mp4", picture, sound), *outputs, playlists=playlists)
    assert {output.duration for output in made.outputs.values()} == {5.0}
    assert frames_of_ranges(folder, "both_v4.m3u8", tmp_path) == [50, 50, 25]
    assert frames_of_ranges(folder, "v.mp4.m3u8", tmp_path) == [50, 50, 25]
    for name in ("both.ts", "a.mp4"):
        heard = frame_hashes("-i", str(folder / name), stream="a")
        assert len(heard) * 1024 / 48_000 == pytest.approx(5.0, abs=0.1)


def frames_of_ranges(folder: Path, playlist: str, scratch: Path) -> list[int]:
    """How many pictures each segment has."""
    read, counts = m3u8.load(str(folder / playlist)), []
    head = b"".join(part(folder, header.uri, header.byterange) for header in read.segment_map)
    for segment in read.segments:
        (scratch / "piece").write_bytes(head + part(folder, segment.uri, segment.byterange))
        counts.append(len(frame_hashes("-i", str(scratch / "piece"))))
    return counts


def part(folder: Path, name: str, byte_range: str) -> bytes:
    size, offset = map(int, byte_range.split("@"))
    return cut(folder / name, offset, size)
