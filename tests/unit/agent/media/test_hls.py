"""Playlists of HLS, read back by a parser that is not ours."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import m3u8
import pytest

from agent.media.boxes import ByteRange
from agent.media.hls import (
    RANGES,
    ContentKey,
    Entry,
    Header,
    Rendition,
    Stills,
    Variant,
    entries,
    master_playlist,
    media_playlist,
    peak_rate,
)
from agent.media.sizing import Size

ENTRIES = (Entry("v00000.ts", 6.006, 750_750), Entry("v00001.ts", 6.006, 1_501_500), Entry("v00002.ts", 1.5, 100_000))


def test_a_media_playlist_is_read_back() -> None:
    playlist = m3u8.loads(media_playlist(ENTRIES).decode())
    assert (playlist.version, playlist.target_duration, playlist.media_sequence) == (3, 6, 0)
    assert playlist.is_endlist
    assert playlist.playlist_type == "vod"
    assert [(segment.uri, segment.duration) for segment in playlist.segments] == [
        ("v00000.ts", 6.006),
        ("v00001.ts", 6.006),
        ("v00002.ts", 1.5),
    ]


def test_the_target_is_no_shorter_than_any_segment_rounded() -> None:
    assert m3u8.loads(media_playlist([Entry("a", 6.5, 1), Entry("b", 2.0, 1)]).decode()).target_duration == 7
    assert m3u8.loads(media_playlist([Entry("a", 0.2, 1)]).decode()).target_duration == 1


def test_a_master_playlist_is_read_back() -> None:
    high = Variant("hls/v.m3u8", ENTRIES, Size(1280, 720), Fraction(30000, 1001), ("avc1.4D401F", "mp4a.40.2"))
    sound = Variant("hls/a.m3u8", (Entry("a", 2.0, 40_000),), None, None, ("mp4a.40.2",))
    master = m3u8.loads(master_playlist([high, sound]).decode())
    assert master.is_independent_segments
    first, second = master.playlists
    assert (first.uri, first.stream_info.bandwidth, first.stream_info.resolution) == (
        "hls/v.m3u8",
        2_000_000,
        (1280, 720),
    )
    assert first.stream_info.average_bandwidth == 1_392_688
    assert first.stream_info.codecs == "avc1.4D401F,mp4a.40.2"
    assert first.stream_info.frame_rate == 29.97
    assert (second.uri, second.stream_info.resolution, second.stream_info.codecs) == ("hls/a.m3u8", None, "mp4a.40.2")


def test_captions_within_the_pictures_are_there_or_said_not_to_be() -> None:
    variant = Variant("v.m3u8", ENTRIES, Size(2, 2), Fraction(25), ())
    groups = (("CLOSED-CAPTIONS", "closed"),)
    for one, said in ((variant, "NONE"), (replace(variant, groups=groups), "closed")):
        [told] = m3u8.loads(master_playlist([one, one]).decode()).playlists[:1]
        assert told.stream_info.closed_captions.strip('"') == said


def test_codecs_without_a_string_are_left_out() -> None:
    line = master_playlist([Variant("v.m3u8", ENTRIES, Size(2, 2), Fraction(25), ())]).decode()
    assert "CODECS" not in line


def test_the_peak_is_taken_over_half_to_one_and_a_half_targets() -> None:
    spiky = [Entry("a", 6.0, 600_000), Entry("b", 0.5, 5_000_000), Entry("c", 6.0, 600_000)]
    assert peak_rate(spiky) == pytest.approx(5_600_000 * 8 / 6.5)


def test_what_is_shorter_than_half_a_target_has_its_average() -> None:
    assert peak_rate([Entry("a", 0.25, 1000)]) == 32_000


def test_the_playlist_of_ffmpeg_is_understood() -> None:
    text = (
        b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:6.000000,\no0_00000.ts\n#EXTINF:1.125000,\no0_00001.ts\n#EXT-X-ENDLIST\n"
    )
    assert entries(text) == ([("o0_00000.ts", 6.0), ("o0_00001.ts", 1.125)], True)
    assert entries(text[:60]) == ([("o0_00000.ts", 6.0)], False)
    assert entries(b"") == ([], False)


def test_ranges_a_header_and_a_key_are_read_back() -> None:
    ranges = (Entry("v.ts", 6.0, 1600, 0), Entry("v.ts", 2.0, 800, 1600))
    key = ContentKey("https://keys.example/1?a=b&c=d", bytes(range(16)))
    header = Header("v.ts", ByteRange(0, 563))
    playlist = m3u8.loads(media_playlist(ranges, version=RANGES, header=header, key=key, stills=True).decode())
    assert (playlist.version, playlist.is_i_frames_only) == (4, True)
    assert [segment.byterange for segment in playlist.segments] == ["1600@0", "800@1600"]
    assert [(one.uri, one.byterange) for one in playlist.segment_map] == [("v.ts", "564@0")]
    assert playlist.keys[0].uri == "https://keys.example/1?a=b&c=d"
    assert playlist.keys[0].iv == "0x000102030405060708090a0b0c0d0e0f"


def test_what_goes_beside_a_variant_is_read_back() -> None:
    sound = (Entry("a", 2.0, 40_000),)
    groups = (("AUDIO", "good"), ("SUBTITLES", "words"))
    silent = Variant("v.m3u8", ENTRIES, Size(640, 360), Fraction(25), ("avc1.4D401F",), groups=groups, beside=(sound,))
    renditions = [
        Rendition("AUDIO", "good", "Audio", "a.m3u8", channels=2, is_default=True),
        Rendition("SUBTITLES", "words", "Deutsch", "de.m3u8", language="de"),
    ]
    stills = [Stills("i.m3u8", (Entry("v.ts", 2.0, 10_000, 0),), Size(640, 360), ("avc1.4D401F",))]
    master = m3u8.loads(master_playlist([silent], version=RANGES, renditions=renditions, stills=stills).decode())
    [variant] = master.playlists
    assert (variant.stream_info.audio, variant.stream_info.subtitles) == ("good", "words")
    assert variant.stream_info.bandwidth == 2_000_000 + 160_000
    assert [(media.name, media.language, media.channels, media.default) for media in master.media] == [
        ("Audio", None, "2", "YES"),
        ("Deutsch", "de", None, "NO"),
    ]
    [leafed] = master.iframe_playlists
    assert (leafed.uri, leafed.iframe_stream_info.bandwidth) == ("i.m3u8", 40_000)
