"""Captions within the pictures of inputs: of all codecs, in both codes, in the languages that the stream tells."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from shared.jobspec.captions import CaptionFormat
from tests.fields import shows
from tests.media.captions.test_captions import keys, shown, wanted
from tests.media.captions.test_closed import EXPECTED, an_output_with_captions, captioned, film, heard_by_ffmpeg
from tests.media.encoding import Made, ffmpeg, transcoded
from tests.streams import announce, caption_services
from tests.unit.agent.media.builders import a_task, an_output, settings

__all__ = ["film"]

pytestmark = pytest.mark.media

FRAME = 1001 / 30000 + 0.002
TEXTS = [text for *_, text in EXPECTED]


@pytest.fixture(scope="module")
def captioned_film(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return captioned(tmp_path_factory.mktemp("captioned"), film, an_output_with_captions("ts")).file()


def in_mpeg2(film: Path, folder: Path) -> Path:
    """Each picture in one piece; ffmpeg's encoder writes their captions anew."""
    stream = folder / "pictures.mxf"
    ffmpeg("-i", str(film), "-an", "-c:v", "mpeg2video", "-bf", "2", "-g", "12", str(stream))
    return stream


def wrapped(stream: Path, name: str, *options: str) -> Path:
    ffmpeg("-i", str(stream), "-c", "copy", *options, str(stream.with_name(name)))
    return stream.with_name(name)


def silenced(stream: Path, *kinds: int) -> None:
    """Says of the triplets of these kinds that they are none."""
    content = bytearray(stream.read_bytes())
    for found in re.finditer(rb"\x00\x00\x01\xb2GA94\x03", content):
        count = content[found.end()] & 0x1F
        for at in range(found.end() + 2, found.end() + 2 + 3 * count, 3):
            if content[at] & 3 in kinds:
                content[at] &= ~4
    stream.write_bytes(content)


def read_out(root: Path, source: Path) -> Made:
    video = {"codec": "h264", "max_width": 160, "max_height": 90}
    made = transcoded(
        root / "job",
        source,
        a_task(an_output(settings(container="mp4", video=video), captions=wanted(CaptionFormat.WEBVTT))),
    )
    assert made.failures == {}
    return made


def check(captions: Path) -> None:
    found = shown(captions)
    assert [text for *_, text in found] == TEXTS
    for (start, end, _), (begin, until, _) in zip(found, EXPECTED, strict=True):
        assert (start, end) == (pytest.approx(begin, abs=FRAME), pytest.approx(until, abs=FRAME))


@pytest.mark.parametrize(
    ("name", "options"), [("film.ts", ()), ("film.mpg", ("-f", "vob")), ("film.mxf", ()), ("film.mkv", ())]
)
def test_captions_in_mpeg2_are_read(captioned_film: Path, tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    source = wrapped(in_mpeg2(captioned_film, tmp_path), name, *options)
    check(keys(read_out(tmp_path, source))["subtitles/webvtt-und00000.vtt"])


def test_where_line_21_is_empty_digital_captions_are_read(captioned_film: Path, tmp_path: Path) -> None:
    stream = in_mpeg2(captioned_film, tmp_path)
    silenced(stream, 0, 1)
    source = wrapped(stream, "film.ts")
    assert heard_by_ffmpeg(source) == [], "ffmpeg reads line 21 only"
    check(keys(read_out(tmp_path, source))["subtitles/webvtt-und00000.vtt"])


def test_digital_captions_in_h264_are_read(captioned_film: Path, tmp_path: Path) -> None:
    """As they are in files that never were on air: encoded anew from pictures that have nothing else."""
    stream = in_mpeg2(captioned_film, tmp_path)
    silenced(stream, 0, 1)
    source = tmp_path / "film.mp4"
    ffmpeg("-i", str(stream), "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", str(source))
    check(keys(read_out(tmp_path, source))["subtitles/webvtt-und00000.vtt"])


@shows("outputs[].captions.formats[].format")
def test_languages_are_those_that_the_stream_tells(captioned_film: Path, tmp_path: Path) -> None:
    source = wrapped(in_mpeg2(captioned_film, tmp_path), "film.ts")
    announce(source, caption_services(("eng", None), ("spa", 1), ("fra", 2)))
    found = keys(read_out(tmp_path, source))
    assert {key for key in found if key.startswith("subtitles/")} == {
        "subtitles/webvtt-en00000.vtt",
        "subtitles/webvtt-es00000.vtt",
    }, "nothing was sent in French"
    for language in ("en", "es"):
        check(found[f"subtitles/webvtt-{language}00000.vtt"])


@pytest.mark.parametrize(
    ("container", "video"),
    [("mp4", {"codec": "h264"}), ("ts", {"codec": "h264", "frame_rate": "15"}), ("mpg", {"codec": "mpeg2"})],
)
@shows("outputs[].captions")
def test_pictures_have_the_captions_that_are_asked_for_and_no_others(
    captioned_film: Path, tmp_path: Path, container: str, video: dict[str, str]
) -> None:
    chosen = settings(container=container, video=video | {"max_width": 160, "max_height": 90})
    made = transcoded(tmp_path / "job", captioned_film, a_task(an_output(chosen)))
    assert heard_by_ffmpeg(captioned_film)
    assert heard_by_ffmpeg(made.file()) == []
    decoded = ("ffprobe", "-v", "error", "-show_frames", "-select_streams", "v", str(made.file()))
    assert b"A/53" not in subprocess.run(decoded, capture_output=True, check=True).stdout
