"""HLSv4: one file per output whose ranges are segments, pictures to leaf through, and sound beside silent pictures."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import m3u8
import pytest

from shared.jobspec import PlaylistFormat
from tests.fields import shows
from tests.media.encoding import ffprobe
from tests.media.playlists.sites import AUDIO, SMALLER, VIDEO, a_playlist, an_output, cut, frame_hashes, site

pytestmark = pytest.mark.media


def ranges(playlist: m3u8.M3U8) -> list[tuple[int, int]]:
    """Offset and size of every segment."""
    pairs = [segment.byterange.split("@") for segment in playlist.segments]
    return [(int(offset), int(size)) for size, offset in pairs]


@pytest.fixture(scope="module")
def both(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same outputs in HLSv3 and in HLSv4."""
    root = tmp_path_factory.mktemp("both")
    outputs = (
        an_output(0, "hls/high", "ts", video=VIDEO, audio=AUDIO),
        an_output(1, "hls/low", "ts", video=SMALLER, audio=AUDIO),
    )
    playlists = (
        a_playlist(PlaylistFormat.HLS_V3, 2, key="three.m3u8"),
        a_playlist(PlaylistFormat.HLS_V4, 2, key="four.m3u8", index=1),
    )
    return site(root, source, *outputs, playlists=playlists)[0]


def test_names_are_those_of_the_format(both: Path) -> None:
    made = sorted(str(path.relative_to(both)) for path in both.rglob("*") if path.is_file())
    of_one = [f"{number:05d}.ts" for number in range(3)] + [".m3u8", ".ts", "_iframe.m3u8", "_v4.m3u8"]
    assert made == sorted(
        ["four.m3u8", "three.m3u8", *(f"hls/{key}{end}" for key in ("high", "low") for end in of_one)]
    )


@shows("playlists[].format=HLSv4", "playlists[].name", "playlists[].output_keys", "outputs[].segment_duration")
def test_ranges_are_the_segments_of_version_3(both: Path) -> None:
    master = m3u8.load(str(both / "four.m3u8"))
    assert master.version == 4
    assert [variant.uri for variant in master.playlists] == ["hls/high_v4.m3u8", "hls/low_v4.m3u8"]
    for key in ("high", "low"):
        playlist = m3u8.load(str(both / "hls" / f"{key}_v4.m3u8"))
        file = both / "hls" / f"{key}.ts"
        assert {segment.uri for segment in playlist.segments} == {f"{key}.ts"}
        assert [segment.duration for segment in playlist.segments] == [2.0, 2.0, pytest.approx(1.0)]
        cuts = [cut(file, *where) for where in ranges(playlist)]
        assert cuts == [(both / "hls" / f"{key}{number:05d}.ts").read_bytes() for number in range(3)]
        assert b"".join(cuts) == file.read_bytes()


def test_every_range_plays_on_its_own(both: Path, tmp_path: Path) -> None:
    playlist = m3u8.load(str(both / "hls" / "high_v4.m3u8"))
    whole = frame_hashes("-i", str(both / "hls" / "high.ts"))
    assert len(whole) == 125
    pieces = []
    for where in ranges(playlist):
        (tmp_path / "piece.ts").write_bytes(cut(both / "hls" / "high.ts", *where))
        pieces += frame_hashes("-i", str(tmp_path / "piece.ts"))
    assert pieces == whole


def test_each_range_of_an_i_frame_playlist_decodes_to_exactly_one_i_frame(both: Path, tmp_path: Path) -> None:
    master = m3u8.load(str(both / "four.m3u8"))
    assert [stills.uri for stills in master.iframe_playlists] == ["hls/high_iframe.m3u8", "hls/low_iframe.m3u8"]
    playlist = m3u8.load(str(both / "hls" / "high_iframe.m3u8"))
    assert playlist.is_i_frames_only
    assert len(playlist.segments) == 5, "one key frame each second"
    assert sum(segment.duration for segment in playlist.segments) == pytest.approx(5.0)
    file = both / "hls" / "high.ts"
    [header] = playlist.segment_map
    size, offset = map(int, header.byterange.split("@"))
    head = cut(file, offset, size)
    for where in ranges(playlist):
        (tmp_path / "still.ts").write_bytes(head + cut(file, *where))
        [frame] = frames(tmp_path / "still.ts")
        assert (frame["pict_type"], frame["width"], frame["height"]) == ("I", 192, 108)


def frames(file: Path) -> list[dict[str, object]]:
    argv = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_frames", "-of", "json", str(file)]
    shown: list[dict[str, object]] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)["frames"]
    return shown


@pytest.fixture(scope="module")
def apart(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Silent pictures and two qualities of sound."""
    root = tmp_path_factory.mktemp("apart")
    outputs = (
        an_output(0, "high", "ts", video=VIDEO),
        an_output(1, "low", "ts", video=SMALLER),
        an_output(2, "sound/good", "ts", audio={**AUDIO, "bit_rate": 128_000}),
        an_output(3, "sound/fair", "ts", audio=AUDIO),
    )
    playlists = (a_playlist(PlaylistFormat.HLS_V4, 4, key="index.m3u8"),)
    return site(root, source, *outputs, playlists=playlists)[0]


def test_sound_of_its_own_goes_with_every_silent_picture(apart: Path) -> None:
    master = m3u8.load(str(apart / "index.m3u8"))
    assert [(media.type, media.group_id, media.uri, media.default, media.channels) for media in master.media] == [
        ("AUDIO", "audio-2", "sound/good_v4.m3u8", "YES", "2"),
        ("AUDIO", "audio-3", "sound/fair_v4.m3u8", "YES", "2"),
    ]
    assert [(variant.uri, variant.stream_info.audio) for variant in master.playlists] == [
        ("high_v4.m3u8", "audio-2"),
        ("high_v4.m3u8", "audio-3"),
        ("low_v4.m3u8", "audio-2"),
        ("low_v4.m3u8", "audio-3"),
    ]
    assert all(str(variant.stream_info.codecs).endswith(",mp4a.40.2") for variant in master.playlists)
    good, fair = (variant.stream_info.bandwidth for variant in master.playlists[:2])
    assert good > fair, "what goes with a variant counts in what it needs"
    assert not (apart / "sound" / "good_iframe.m3u8").exists()


def test_picture_and_sound_that_lie_apart_are_of_one_length_and_clock(apart: Path) -> None:
    picture, sound = (ffprobe(apart / name)["streams"][0] for name in ("high.ts", "sound/good.ts"))
    assert (picture["codec_type"], sound["codec_type"]) == ("video", "audio")
    assert float(sound["start_time"]) == pytest.approx(float(picture["start_time"]), abs=0.1)
