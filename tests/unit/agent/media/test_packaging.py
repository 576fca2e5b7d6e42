"""Names of published objects, and playlists that name them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import m3u8
import pytest

from agent.media import Package, package
from agent.media.boxes import ByteRange, Index, Reference
from agent.media.dash import Representation
from shared.failures import Failure, FailureCode
from shared.jobspec import PlaylistFormat
from shared.protocol import OutputSpec, PlaylistSpec
from shared.statuses import JobStatus
from tests.unit.agent.media.builders import a_playlist, a_task, an_output, thumbnails
from tests.unit.agent.media.produced import Produced

MPD = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}


def packaged(*outputs: OutputSpec, playlists: tuple[PlaylistSpec, ...] = (), failed: tuple[int, ...] = ()) -> Package:
    made = {spec.index: Produced(spec) for spec in outputs}
    contents = {name: content for produced in made.values() for name, content in produced.contents.items()}
    return package(
        a_task(*outputs, playlists=playlists),
        {index: produced.verified() for index, produced in made.items() if index not in failed},
        read=lambda name, offset, length: contents[name][offset : offset + length],
    )


def keys(package: Package, output: int = 0) -> dict[str, str]:
    return {o.key: o.role for o in package.outputs[output].objects}


def test_a_single_file_has_the_key_as_it_is() -> None:
    assert keys(packaged(an_output("000010", key="movies/a b.mp4"))) == {"movies/a b.mp4": "media"}


def test_segments_and_their_playlist_are_named_after_the_key() -> None:
    result = packaged(an_output("200010", key="hls/v", segment_duration=20.0))
    assert keys(result) == {
        "hls/v00000.ts": "media",
        "hls/v00001.ts": "media",
        "hls/v00002.ts": "media",
        "hls/v.m3u8": "media_playlist",
    }
    assert [segment.uri for segment in m3u8.loads(result.files["m0.m3u8"].decode()).segments] == [
        "v00000.ts",
        "v00001.ts",
        "v00002.ts",
    ]


def test_thumbnails_follow_their_pattern_from_one() -> None:
    result = packaged(an_output("000010", key="m.mp4", thumbnails=thumbnails(20)))
    assert keys(result) == {
        "m.mp4": "media",
        "jobs/t-192x108-00001.png": "thumbnail",
        "jobs/t-192x108-00002.png": "thumbnail",
        "jobs/t-192x108-00003.png": "thumbnail",
    }


def test_a_result_tells_what_was_made() -> None:
    [result] = packaged(an_output("000010")).outputs
    assert (result.status, result.width, result.height, result.frame_rate) == (JobStatus.COMPLETE, 1280, 720, 29.97)
    assert result.encoder == "libx264"
    assert result.duration == pytest.approx(55.0, abs=0.1)


def test_every_name_and_size_is_that_of_a_file() -> None:
    result = packaged(
        an_output("200010", segment_duration=20.0), playlists=(a_playlist(PlaylistFormat.HLS_V3, 0, key="index.m3u8"),)
    )
    written = {name: len(content) for name, content in result.files.items()}
    objects = [o for output in result.outputs for o in output.objects] + [
        o for p in result.playlists for o in p.objects
    ]
    assert {o.name: o.size for o in objects if o.role.endswith("playlist")} == written


def test_a_master_playlist_names_the_variants_in_the_tenants_order() -> None:
    result = packaged(
        an_output("200010", 0, key="hls/high", segment_duration=20.0),
        an_output("200030", 1, key="low", segment_duration=20.0),
        playlists=(a_playlist(PlaylistFormat.HLS_V3, 1, 0, key="hls/index.m3u8"),),
    )
    [playlist] = result.playlists
    assert [(o.name, o.key, o.role) for o in playlist.objects] == [("p0.m3u8", "hls/index.m3u8", "master_playlist")]
    low, high = m3u8.loads(result.files["p0.m3u8"].decode()).playlists
    assert (low.uri, high.uri) == ("../low.m3u8", "high.m3u8")
    assert high.stream_info.resolution == (1024, 576)
    assert high.stream_info.codecs == "avc1.4D401F,mp4a.40.2"


def test_keys_are_quoted_where_they_become_addresses() -> None:
    result = packaged(
        an_output("200010", key='a b/100%?#"é', segment_duration=20.0),
        playlists=(a_playlist(PlaylistFormat.HLS_V3, 0, key="index.m3u8"),),
    )
    [variant] = m3u8.loads(result.files["p0.m3u8"].decode()).playlists
    assert variant.uri == "a%20b/100%25%3F%23%22%C3%A9.m3u8"


def test_a_dash_manifest_has_sets_of_picture_and_of_sound() -> None:
    result = packaged(
        an_output("500060", 0, key="dash/sound"),
        an_output("500030", 1, key="dash/480"),
        an_output("500040", 2, key="dash/360"),
        playlists=(a_playlist(PlaylistFormat.MPEG_DASH, 0, 1, 2, key="dash/index.mpd"),),
    )
    root = ET.fromstring(result.files["p0.mpd"])  # noqa: S314 (our own text)
    sets = root.findall("mpd:Period/mpd:AdaptationSet", MPD)
    assert [s.get("contentType") for s in sets] == ["video", "audio"]
    assert [s.get("subsegmentAlignment") for s in sets] == ["true", "true"]
    [high, low] = sets[0].findall("mpd:Representation", MPD)
    assert (high.get("width"), high.get("height"), high.get("frameRate"), high.get("codecs")) == (
        "854",
        "480",
        "30",
        "avc1.4D401F",
    )
    assert (low.findtext("mpd:BaseURL", namespaces=MPD), low.get("bandwidth")) == ("360", "20000")
    base = high.find("mpd:SegmentBase", MPD)
    assert base is not None
    assert base.get("indexRange") == "24-87"
    [sound] = sets[1].findall("mpd:Representation", MPD)
    assert (sound.get("audioSamplingRate"), sound.get("codecs")) == ("48000", "mp4a.40.2")


def test_the_rate_of_what_is_left_in_the_end_is_none_that_players_need() -> None:
    header = ByteRange(0, 99)
    references = (Reference(250_000, 2.0), Reference(500_000, 2.0), Reference(60_000, 0.04))
    one = Representation("0", "v.mp4", Index(header, header, references, 100, b""), (), duration=4.04)
    assert one.peak_rate == 500_000 * 8 / 2.0


def test_pictures_with_sound_are_a_set_of_their_own() -> None:
    result = packaged(an_output("400010"), playlists=(a_playlist(PlaylistFormat.MPEG_DASH, 0, key="index.mpd"),))
    [only] = ET.fromstring(result.files["p0.mpd"]).findall("mpd:Period/mpd:AdaptationSet", MPD)  # noqa: S314
    assert (only.get("contentType"), only.get("mimeType")) == (None, "video/mp4")


@pytest.mark.parametrize(
    ("form", "output"),
    [
        (PlaylistFormat.HLS_V3, an_output("500020")),
        (PlaylistFormat.HLS_V3, an_output("200010")),
        (PlaylistFormat.MPEG_DASH, an_output("200010", segment_duration=20.0)),
    ],
)
def test_an_output_of_another_kind_fails_the_playlist_only(form: PlaylistFormat, output: OutputSpec) -> None:
    result = packaged(output, playlists=(a_playlist(form, 0),))
    assert [o.status for o in result.outputs] == [JobStatus.COMPLETE]
    assert _failure(result).code is FailureCode.INVALID_JOB


def test_a_failed_output_fails_the_playlists_that_name_it() -> None:
    result = packaged(
        an_output("200010", 0, segment_duration=20.0),
        an_output("200030", 1, segment_duration=20.0),
        playlists=(a_playlist(PlaylistFormat.HLS_V3, 0, 1),),
        failed=(1,),
    )
    assert [output.index for output in result.outputs] == [0]
    assert _failure(result).code is FailureCode.DEPENDENCY_FAILED
    assert "p0.m3u8" not in result.files


def _failure(result: Package) -> Failure:
    [playlist] = result.playlists
    assert playlist.status is JobStatus.ERROR
    assert playlist.failure is not None
    return playlist.failure
