"""Adaptive outputs made by the real ffmpeg, taken apart by other parsers than ours."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import m3u8
import pytest

from agent.media import ProgressParser
from shared.jobspec import PlaylistFormat
from shared.protocol import PlaylistSpec
from tests.fields import shows
from tests.media.encoding import ffprobe, key_frame_times, published, transcoded
from tests.unit.agent.media.builders import a_task, an_output, thumbnails

pytestmark = pytest.mark.media

SECONDS = 5.28
MPD = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}


@shows("playlists[].format=HLSv3")
def test_an_hls_ladder_is_aligned_and_complete(bunny: Path, tmp_path: Path) -> None:
    task = a_task(
        an_output("200030", 0, key="hls/high ", segment_duration=2.0),
        an_output("200040", 1, key="hls/middle", segment_duration=2.0),
        an_output("200050", 2, key="hls/low", segment_duration=2.0),
        an_output("000061", 3, key="movie.mp4", thumbnails=thumbnails(2)),
        playlists=(PlaylistSpec(index=0, key="index.m3u8", format=PlaylistFormat.HLS_V3, outputs=(0, 1, 2)),),
    )
    made = transcoded(tmp_path / "job", bunny, task)
    assert len(made.commands) == 1
    assert made.failures == {}
    published(made, tmp_path / "site")

    master = m3u8.load(str(tmp_path / "site" / "index.m3u8"))
    assert [variant.uri for variant in master.playlists] == ["hls/high%20.m3u8", "hls/middle.m3u8", "hls/low.m3u8"]
    assert [variant.stream_info.resolution for variant in master.playlists] == [(640, 360), (480, 270), (400, 224)]
    assert [variant.stream_info.codecs for variant in master.playlists] == [
        "avc1.4D401F,mp4a.40.2",
        "avc1.42C01E,mp4a.40.2",
        "avc1.42C01E,mp4a.40.2",
    ]
    names = ("high ", "middle", "low")
    media = [m3u8.load(str(tmp_path / "site" / "hls" / f"{name}.m3u8")) for name in names]
    for playlist in media:
        assert playlist.is_endlist
        assert playlist.target_duration == 2
        assert [segment.duration for segment in playlist.segments] == [2.0, 2.0, pytest.approx(1.28)]
    starts = [[key_frame_times(segment)[0] for segment in segments_of(tmp_path / "site", name)] for name in names]
    assert starts[0] == starts[1] == starts[2]
    every_key_frame = [[key_frame_times(segment) for segment in segments_of(tmp_path / "site", name)] for name in names]
    assert every_key_frame[0] == every_key_frame[1] == every_key_frame[2]


def segments_of(site: Path, name: str) -> list[Path]:
    segments = [site / "hls" / f"{name}{number:05d}.ts" for number in range(3)]
    assert sorted((site / "hls").glob(f"{name}*.ts")) == segments
    return segments


def test_bandwidths_are_those_of_the_segments(bunny: Path, tmp_path: Path) -> None:
    task = a_task(
        an_output("200050", key="v", segment_duration=2.0),
        playlists=(PlaylistSpec(index=0, key="index.m3u8", format=PlaylistFormat.HLS_V3, outputs=(0,)),),
    )
    published(transcoded(tmp_path / "job", bunny, task), tmp_path / "site")
    [variant] = m3u8.load(str(tmp_path / "site" / "index.m3u8")).playlists
    sizes = [(tmp_path / "site" / f"v{number:05d}.ts").stat().st_size for number in range(3)]
    rates = [size * 8 / seconds for size, seconds in zip(sizes, (2.0, 2.0, 1.28), strict=True)]
    assert variant.stream_info.bandwidth == pytest.approx(max(rates), abs=1)
    assert variant.stream_info.average_bandwidth == pytest.approx(sum(sizes) * 8 / SECONDS, abs=1)


@shows(
    "outputs[].thumbnails.interval",
    "outputs[].thumbnails.format",
    "settings.thumbnails.interval",
    "settings.thumbnails.format",
    "settings.thumbnails.max_width",
    "settings.thumbnails.max_height",
)
def test_thumbnails_are_as_many_and_as_large_as_planned(bunny: Path, tmp_path: Path) -> None:
    task = a_task(
        an_output("000061", key="movie.mp4", thumbnails=thumbnails(2)),
        an_output("000061", 1, key="again.mp4", thumbnails=thumbnails(1, format="jpg", max_width=100, max_height=100)),
    )
    made = transcoded(tmp_path / "job", bunny, task)
    pngs, jpgs = (made.files(index, "thumbnail") for index in (0, 1))
    assert (len(pngs), len(jpgs)) == (3, 6)
    [png] = ffprobe(pngs[2])["streams"]
    [jpg] = ffprobe(jpgs[5])["streams"]
    assert (png["codec_name"], png["width"], png["height"]) == ("png", 192, 108)
    assert (jpg["codec_name"], jpg["width"], jpg["height"]) == ("mjpeg", 100, 56)


@shows("playlists[].format=MPEG-DASH")
def test_a_dash_manifest_points_at_bytes_that_decode(bunny: Path, tmp_path: Path) -> None:
    task = a_task(
        an_output("500040", 0, key="dash/360.mp4", segment_duration=2.0),
        an_output("500050", 1, key="dash/240.mp4", segment_duration=2.0),
        an_output("500060", 2, key="dash/sound.mp4", segment_duration=2.0),
        playlists=(PlaylistSpec(index=0, key="index.mpd", format=PlaylistFormat.MPEG_DASH, outputs=(0, 1, 2)),),
    )
    made = transcoded(tmp_path / "job", bunny, task)
    assert made.failures == {}
    published(made, tmp_path / "site")
    root = ET.parse(tmp_path / "site" / "index.mpd").getroot()  # noqa: S314 (our own text)
    assert root.get("mediaPresentationDuration") == "PT5.312S"  # its sound is a little longer than its picture
    video, sound = root.findall("mpd:Period/mpd:AdaptationSet", MPD)
    assert video.get("subsegmentAlignment") == "true"
    representations = [*video.findall("mpd:Representation", MPD), *sound.findall("mpd:Representation", MPD)]
    assert [r.get("codecs") for r in representations] == ["avc1.4D401E", "avc1.4D401E", "mp4a.40.2"]
    for representation, codec in zip(representations, ("h264", "h264", "aac"), strict=True):
        first_fragment = _first_fragment(tmp_path / "site", representation, tmp_path / "fragment.mp4")
        [stream] = ffprobe(first_fragment, "-count_frames")["streams"]
        assert stream["codec_name"] == codec
        assert int(stream["nb_read_frames"]) == (60 if codec == "h264" else pytest.approx(94, abs=2))


def _first_fragment(site: Path, representation: ET.Element, target: Path) -> Path:
    """The initialization and the first fragment of the index: what a player fetches first."""
    content = (site / str(representation.findtext("mpd:BaseURL", namespaces=MPD))).read_bytes()
    base = representation.find("mpd:SegmentBase", MPD)
    assert base is not None
    initialization = base.find("mpd:Initialization", MPD)
    assert initialization is not None
    _, header_end = map(int, str(initialization.get("range")).split("-"))
    index_start, index_end = map(int, str(base.get("indexRange")).split("-"))
    index = content[index_start : index_end + 1]
    assert index[4:8] == b"sidx"
    first_offset = int.from_bytes(index[28:36], "big")
    first_size = int.from_bytes(index[40:44], "big") & 0x7FFFFFFF
    start = index_end + 1 + first_offset
    target.write_bytes(content[: header_end + 1] + content[start : start + first_size])
    return target


def test_progress_reaches_its_end_without_falling(bunny: Path, tmp_path: Path) -> None:
    made = transcoded(tmp_path / "job", bunny, a_task(an_output("000061")))
    parser = ProgressParser(SECONDS)
    samples = [parser.feed(line + b"\n") for line in made.progress.splitlines()]
    percents = [sample.percent for sample in samples if sample is not None]
    assert percents == sorted(percents)
    assert percents[-1] == 100.0
