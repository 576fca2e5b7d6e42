"""Captions in playlists: segments of WebVTT beside those of the media, and what masters and manifests say of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import m3u8
import pytest

from agent.media.captions import Cue, read
from agent.media.captions.cues import Cues
from shared.jobspec import PlaylistFormat
from shared.jobspec.captions import CaptionFormat
from shared.protocol import CaptionSourceSpec, TranscodeFile
from tests.fields import shows
from tests.media.captions.test_captions import beside, wanted, written
from tests.media.captions.test_closed import TEXT
from tests.media.encoding import ffmpeg, ffprobe, published, transcoded
from tests.media.playlists.origin import Origin
from tests.unit.agent.media.builders import a_playlist, a_task, an_output, settings

pytestmark = pytest.mark.media

SMALL = {"codec": "h264", "max_width": 160, "max_height": 90, "frame_rate": "25", "fixed_gop": True}
TS = settings(container="ts", video=SMALL)
FMP4 = settings(container="fmp4", video=SMALL)
NAMESPACE = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=d=2.2:s=160x90:r=25", "-c:v", "libx264", "-preset", "ultrafast", str(path))
    return path


def in_two_languages(task: TranscodeFile) -> TranscodeFile:
    english = CaptionSourceSpec(input=1, language="eng", label="English")
    return task.model_copy(update={"captions": (beside(english, CaptionSourceSpec(input=2, language="de")),)})


@shows("playlists[].format=HLSv3", "outputs[].captions.formats[].pattern")
@pytest.mark.parametrize("form", [PlaylistFormat.HLS_V3, PlaylistFormat.HLS_V4])
def test_subtitles_are_named_in_masters_and_cut_like_the_media(
    film: Path, tmp_path: Path, form: PlaylistFormat
) -> None:
    captions = wanted(CaptionFormat.WEBVTT)
    outputs = [an_output(TS, index, segment_duration=1.0, captions=captions, key=f"v{index}") for index in (0, 1)]
    task = in_two_languages(a_task(*outputs, playlists=(a_playlist(form, 0, 1, key="index.m3u8"),)))
    made = transcoded(tmp_path / "job", [film, *written(tmp_path, en=TEXT, de=TEXT)], task)
    published(made, tmp_path / "bucket")
    master = m3u8.load(str(tmp_path / "bucket" / "index.m3u8"))
    assert [(one.type, one.language, one.name, one.default) for one in master.media] == [
        ("SUBTITLES", "en", "English", "YES"),
        ("SUBTITLES", "de", "de", "NO"),
    ]
    assert {variant.stream_info.subtitles for variant in master.playlists} == {"subtitles"}
    playlist = m3u8.load(str(tmp_path / "bucket" / master.media[0].uri))
    media = m3u8.load(str(tmp_path / "bucket" / master.playlists[0].uri))
    assert [one.duration for one in playlist.segments] == [one.duration for one in media.segments]
    assert [one.uri for one in playlist.segments] == [f"webvtt-eng{count:05d}.vtt" for count in range(3)]
    texts = [(tmp_path / "bucket" / "subtitles" / one.uri).read_text() for one in playlist.segments]
    assert [[cue.start for cue in read(text.encode())] for text in texts] == [[], [1000, 1700], [1700]]
    start = float(ffprobe(made.files(0)[0])["streams"][0]["start_time"])
    head = f"WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:{round(start * 90000)}\n"
    assert all(text.startswith(head) for text in texts)


def test_captions_within_pictures_are_named_in_masters(film: Path, tmp_path: Path) -> None:
    output = an_output(TS, segment_duration=1.0, captions=wanted(CaptionFormat.CEA_708), key="v0")
    task = a_task(output, playlists=(a_playlist(PlaylistFormat.HLS_V3, 0, key="index.m3u8"),))
    task = task.model_copy(update={"captions": (beside(CaptionSourceSpec(input=1, language="en", label='A "b"')),)})
    made = transcoded(tmp_path / "job", [film, *written(tmp_path, en=TEXT)], task)
    published(made, tmp_path / "bucket")
    master = m3u8.load(str(tmp_path / "bucket" / "index.m3u8"))
    (media,) = master.media
    assert (media.type, media.instream_id, media.language, media.name) == ("CLOSED-CAPTIONS", "CC1", "en", "A 'b'")
    assert master.playlists[0].stream_info.closed_captions == f'"{media.group_id}"'


@shows("outputs[].captions.formats[].format=dfxp")
def test_players_of_smooth_streaming_find_captions_in_fragments(film: Path, tmp_path: Path) -> None:
    captions = wanted(CaptionFormat.DFXP)
    outputs = [an_output(FMP4, index, segment_duration=1.0, captions=captions, key=f"v{index}.mp4") for index in (0, 1)]
    task = in_two_languages(a_task(*outputs, playlists=(a_playlist(PlaylistFormat.SMOOTH, 0, 1, key="film.ism"),)))
    german = TEXT.replace("1,700", "2,100")
    made = transcoded(tmp_path / "job", [film, *written(tmp_path, en=TEXT, de=german)], task)
    assert made.failures == {}
    published(made, tmp_path / "bucket")
    origin = Origin(tmp_path / "bucket" / "film.ism")
    client = ET.parse(origin.client).getroot()  # noqa: S314 (our own)
    streams = client.findall("StreamIndex[@Type='text']")
    assert [(one.get("Language"), one.get("Subtype"), one.get("Name")) for one in streams] == [
        ("eng", "CAPT", "text_eng"),
        ("deu", "CAPT", "text_deu"),
    ]
    shown = client.find("StreamIndex[@Type='video']")
    assert shown is not None
    assert times(streams[0]) == times(streams[1]) == times(shown)
    for stream, text in zip(streams, (TEXT, german), strict=True):
        [level] = stream.findall("QualityLevel")
        assert level.get("FourCC") == "TTML"
        asked = [
            str(stream.get("Url")).replace("{bitrate}", str(level.get("Bitrate"))).replace("{start time}", str(time))
            for time, _ in times(stream)
        ]
        fragments = [origin.answer(address) for address in asked]
        documents = [fragment[fragment.index(b"mdat") + 4 :] for fragment in fragments]
        told = [cue for document in documents for cue in read(document)]
        assert told == list(cut(read(text.encode()), [round(time / 10_000) for time, _ in times(stream)]))
        assert len(told) > len(read(text.encode()))  # one goes on from a fragment to the next
    [file] = [produced.key for produced in made.objects(0, "captions") if "eng" in produced.key]
    assert file == "subtitles/dfxp-eng00000.ismt"
    packets = ffprobe(tmp_path / "bucket" / file, "-show_packets")["packets"]
    assert [packet["pts"] for packet in packets] == [time for time, _ in times(shown)]


def times(stream: ET.Element) -> list[tuple[int, int]]:
    return [(int(str(chunk.get("t"))), int(str(chunk.get("d")))) for chunk in stream.findall("c")]


def cut(cues: Cues, begins: list[int]) -> Iterator[Cue]:
    """What is shown of them in each stretch that begins then."""
    for begin, end in pairwise([*begins, 100_000]):
        for cue in cues:
            if cue.start < end and cue.end > begin:
                yield replace(cue, start=max(cue.start, begin), end=min(cue.end, end))


@pytest.mark.parametrize("form", [PlaylistFormat.MPEG_DASH, PlaylistFormat.CMAF])
def test_subtitles_are_named_in_manifests(film: Path, tmp_path: Path, form: PlaylistFormat) -> None:
    output = an_output(FMP4, segment_duration=1.0, captions=wanted(CaptionFormat.WEBVTT), key="v.mp4")
    key = "index.mpd" if form is PlaylistFormat.MPEG_DASH else "index.m3u8"
    task = in_two_languages(a_task(output, playlists=(a_playlist(form, 0, key=key),)))
    made = transcoded(tmp_path / "job", [film, *written(tmp_path, en=TEXT, de=TEXT)], task)
    published(made, tmp_path / "bucket")
    manifest = ET.parse(tmp_path / "bucket" / "index.mpd").getroot()  # noqa: S314 (our own)
    texts = manifest.findall(".//mpd:AdaptationSet[@contentType='text']", NAMESPACE)
    assert [(text.get("lang"), text.get("mimeType")) for text in texts] == [("en", "text/vtt"), ("de", "text/vtt")]
    uri = texts[0].findtext(".//mpd:BaseURL", namespaces=NAMESPACE)
    assert uri is not None
    assert [cue.start for cue in read((tmp_path / "bucket" / uri).read_bytes())] == [1000, 1700]
    if form is PlaylistFormat.CMAF:
        master = m3u8.load(str(tmp_path / "bucket" / "index.m3u8"))
        subtitles = m3u8.load(str(tmp_path / "bucket" / master.media[0].uri))
        (segment,) = subtitles.segments
        assert segment.duration == pytest.approx(2.2, abs=0.05)
