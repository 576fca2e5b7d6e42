"""CMAF: HLS and MPEG-DASH of the same files, whose fragments are the segments of both."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import m3u8
import pytest

from shared.jobspec import PlaylistFormat
from tests.fields import shows
from tests.media.encoding import ffprobe
from tests.media.playlists.sites import AUDIO, SMALLER, VIDEO, a_playlist, an_output, cut, frame_hashes, site

pytestmark = pytest.mark.media

MPD = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}


@pytest.fixture(scope="module")
def cmaf(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cmaf")
    outputs = (
        an_output(0, "v/high.mp4", "fmp4", video=VIDEO),
        an_output(1, "v/low.mp4", "fmp4", video=SMALLER),
        an_output(2, "sound.mp4", "fmp4", audio=AUDIO),
    )
    return site(root, source, *outputs, playlists=(a_playlist(PlaylistFormat.CMAF, 3, key="index.m3u8"),))[0]


def test_one_set_of_files_has_two_manifests(cmaf: Path) -> None:
    media = ["v/high.mp4", "v/low.mp4", "sound.mp4"]
    made = {str(path.relative_to(cmaf)) for path in cmaf.rglob("*") if path.is_file()}
    assert made == {*media, *(f"{name}.m3u8" for name in media), "index.m3u8", "index.mpd"}
    assert (cmaf / "v/high.mp4").read_bytes()[4:8] == b"ftyp"
    assert b"cmfc" in (cmaf / "v/high.mp4").read_bytes()[:32]


@shows("playlists[].format=CMAF", "outputs[].segment_duration")
def test_segments_of_hls_are_fragments_that_decode(cmaf: Path, tmp_path: Path) -> None:
    playlist = m3u8.load(str(cmaf / "v" / "high.mp4.m3u8"))
    assert playlist.version == 7
    assert [segment.duration for segment in playlist.segments] == [2.0, 2.0, pytest.approx(1.0)]
    [header] = playlist.segment_map
    head = cut(cmaf / "v" / header.uri, *reversed([int(number) for number in header.byterange.split("@")]))
    whole = frame_hashes("-i", str(cmaf / "v" / "high.mp4"))
    pieces = []
    for segment in playlist.segments:
        size, offset = map(int, segment.byterange.split("@"))
        (tmp_path / "piece.mp4").write_bytes(head + cut(cmaf / "v" / segment.uri, offset, size))
        pieces.append(frame_hashes("-i", str(tmp_path / "piece.mp4")))
    assert [len(piece) for piece in pieces] == [50, 50, 25]
    assert [frame for piece in pieces for frame in piece] == whole


def test_both_manifests_speak_of_the_same_bytes(cmaf: Path) -> None:
    root = ET.parse(cmaf / "index.mpd").getroot()  # noqa: S314 (our own text)
    named = root.findall("mpd:Period/mpd:AdaptationSet/mpd:Representation", MPD)
    assert [r.findtext("mpd:BaseURL", namespaces=MPD) for r in named] == ["v/high.mp4", "v/low.mp4", "sound.mp4"]
    for representation in named:
        base = representation.find("mpd:SegmentBase", MPD)
        assert base is not None
        _, end = map(int, str(base.get("indexRange")).split("-"))
        playlist = m3u8.load(str(cmaf / f"{representation.findtext('mpd:BaseURL', namespaces=MPD)}.m3u8"))
        assert int(playlist.segments[0].byterange.split("@")[1]) == end + 1


def test_sound_goes_with_every_picture(cmaf: Path) -> None:
    master = m3u8.load(str(cmaf / "index.m3u8"))
    assert [(media.type, media.group_id, media.uri) for media in master.media] == [
        ("AUDIO", "audio-2", "sound.mp4.m3u8")
    ]
    assert [(variant.uri, variant.stream_info.audio) for variant in master.playlists] == [
        ("v/high.mp4.m3u8", "audio-2"),
        ("v/low.mp4.m3u8", "audio-2"),
    ]


def test_the_whole_plays_by_either_manifest(cmaf: Path) -> None:
    """ffmpeg as a player that knows both."""
    of_hls = ffprobe("index.m3u8", "-count_frames", cwd=cmaf)["streams"]
    assert {int(stream["nb_read_frames"]) for stream in of_hls if stream["codec_type"] == "video"} == {125}
    assert frame_hashes("-i", "index.mpd", stream="v:0", cwd=cmaf) == frame_hashes("-i", "v/high.mp4", cwd=cmaf)
