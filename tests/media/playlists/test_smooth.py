"""Smooth Streaming: fragmented files with the two manifests that servers and players read."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from shared.failures import Cause, FailureCode
from shared.jobspec import PlaylistFormat
from tests.fields import shows
from tests.media.encoding import transcoded
from tests.media.playlists.fragments import runs
from tests.media.playlists.origin import Origin
from tests.media.playlists.sites import AUDIO, SMALLER, VIDEO, a_playlist, an_output, frame_hashes, site
from tests.unit.agent.media.builders import a_task

pytestmark = pytest.mark.media

OUTPUTS = (
    an_output(0, "media/high.mp4", "fmp4", video=VIDEO, audio=AUDIO),
    an_output(1, "media/low.mp4", "fmp4", video=SMALLER, audio={**AUDIO, "bit_rate": 32_000}),
)


@pytest.fixture(scope="module")
def smooth(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    playlists = (
        a_playlist(PlaylistFormat.SMOOTH, 2, key="film.ism"),
        a_playlist(PlaylistFormat.MPEG_DASH, 2, key="film.mpd", index=1),
    )
    return site(tmp_path_factory.mktemp("smooth"), source, *OUTPUTS, playlists=playlists)[0]


def levels(client: ET.Element, kind: str) -> list[ET.Element]:
    return client.findall(f"StreamIndex[@Type='{kind}']/QualityLevel")


def test_names_are_those_of_the_format(smooth: Path) -> None:
    made = {str(path.relative_to(smooth)) for path in smooth.rglob("*") if path.is_file()}
    assert made == {"film.ism", "film.ismc", "film.mpd", "media/high.mp4", "media/low.mp4"}
    assert Origin(smooth / "film.ism").client == smooth / "film.ismc"


@shows("playlists[].format=Smooth")
def test_every_fragment_that_a_player_asks_for_is_there_and_plays(smooth: Path, tmp_path: Path) -> None:
    origin = Origin(smooth / "film.ism")
    client = ET.parse(origin.client).getroot()  # noqa: S314 (our own text)
    for kind, name in (("video", "v"), ("audio", "a")):
        stream = client.find(f"StreamIndex[@Type='{kind}']")
        assert stream is not None
        times = [int(str(chunk.get("t"))) for chunk in stream.findall("c")]
        assert len(times) == int(str(stream.get("Chunks"))) == 3
        for level, file in zip(levels(client, kind), ("high", "low"), strict=True):
            rate = int(str(level.get("Bitrate")))
            asked = [
                str(stream.get("Url")).replace("{bitrate}", str(rate)).replace("{start time}", str(time))
                for time in times
            ]
            (tmp_path / "track.mp4").write_bytes(origin.header(kind, rate) + b"".join(map(origin.answer, asked)))
            fetched = frame_hashes("-i", str(tmp_path / "track.mp4"), stream=name)
            assert fetched == frame_hashes("-i", str(smooth / "media" / f"{file}.mp4"), stream=name)
            assert len(fetched) == (125 if kind == "video" else pytest.approx(235, abs=2))


def test_a_client_learns_how_to_decode(smooth: Path) -> None:
    client = ET.parse(smooth / "film.ismc").getroot()  # noqa: S314 (our own text)
    video, audio = levels(client, "video"), levels(client, "audio")
    assert [(level.get("MaxWidth"), level.get("MaxHeight"), level.get("FourCC")) for level in video] == [
        ("192", "108", "H264"),
        ("128", "72", "H264"),
    ]
    assert all(str(level.get("CodecPrivateData")).startswith("00000001674D40") for level in video)
    assert {(level.get("FourCC"), level.get("SamplingRate"), level.get("Channels")) for level in audio} == {
        ("AACL", "48000", "2")
    }
    assert {str(level.get("CodecPrivateData"))[:4] for level in audio} == {"1190"}
    rates = [int(str(level.get("Bitrate"))) for level in (*video, *audio)]
    assert len(set(rates)) == 4


def test_times_follow_one_another_from_nothing_on(smooth: Path) -> None:
    client = ET.parse(smooth / "film.ismc").getroot()  # noqa: S314 (our own text)
    for stream in client.findall("StreamIndex"):
        at = 0
        for chunk in stream.findall("c"):
            assert int(str(chunk.get("t"))) == at
            at += int(str(chunk.get("d")))
        assert at / 10_000_000 == pytest.approx(5.0, abs=0.05)


def test_picture_and_sound_begin_together(smooth: Path) -> None:
    """Without an edit list, whose place players of Smooth Streaming never see."""
    for name in ("high", "low"):
        file = smooth / "media" / f"{name}.mp4"
        assert b"elst" not in file.read_bytes()
        picture, sound = runs(file)[:2]
        assert (min(picture.shown), min(sound.shown)) == (0, 0)


def test_the_same_file_is_in_a_dash_manifest(smooth: Path, tmp_path: Path) -> None:
    """Whose parts have both tracks."""
    root = ET.parse(smooth / "film.mpd").getroot()  # noqa: S314 (our own text)
    names = [element.text for element in root.iter("{urn:mpeg:dash:schema:mpd:2011}BaseURL")]
    assert names == ["media/high.mp4", "media/low.mp4"]
    content = (smooth / "media" / "high.mp4").read_bytes()
    base = next(root.iter("{urn:mpeg:dash:schema:mpd:2011}SegmentBase"))
    start, end = map(int, str(base.get("indexRange")).split("-"))
    index = content[start : end + 1]
    parts, at = struct.unpack_from(">H", index, 38)[0], end + 1
    counts = []
    for part in range(parts):
        size = struct.unpack_from(">I", index, 40 + 12 * part)[0]
        (tmp_path / "part.mp4").write_bytes(content[:start] + content[at : at + size])
        counts.append(tuple(len(frame_hashes("-i", str(tmp_path / "part.mp4"), stream=kind)) for kind in "va"))
        at += size
    assert [pictures for pictures, _ in counts] == [50, 50, 25]
    assert sum(sounds for _, sounds in counts) == pytest.approx(235, abs=4)
    assert content[at + 4 : at + 8] == b"mfra"


def test_pictures_that_do_not_start_again_together_fail_the_playlist_only(source: Path, tmp_path: Path) -> None:
    outputs = (
        an_output(0, "media/high.mp4", "fmp4", video={**VIDEO, "frame_rate": "25"}),
        an_output(1, "media/low.mp4", "fmp4", video={**SMALLER, "frame_rate": "29.97"}),
    )
    task = a_task(*outputs).model_copy(update={"playlists": (a_playlist(PlaylistFormat.SMOOTH, 2, key="film.ism"),)})
    made = transcoded(tmp_path / "job", source, task)
    assert made.failures == {}
    failure = made.playlists[0].failure
    assert failure is not None
    assert (failure.cause, failure.code) == (Cause.INPUT, FailureCode.SEGMENTS_DIFFER)
