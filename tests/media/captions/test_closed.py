"""Captions within pictures: decoded by ffmpeg and by a player's library, in files whose pictures and sound nothing has touched."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.media.captions import read
from shared.failures import FailureCode
from shared.jobspec.captions import CaptionFormat
from shared.protocol import CaptionSourceSpec, OutputSpec
from tests.clips import clip
from tests.fields import shows
from tests.media.captions.test_captions import beside, keys, shown, wanted, written
from tests.media.encoding import Made, ffmpeg, ffprobe, transcoded
from tests.needs import needs
from tests.unit.agent.media.builders import a_task, an_output, settings

pytestmark = pytest.mark.media

NTSC = 1001 / 30000
TEXT = "WEBVTT\n\n00:01.000 --> 00:01.300\nHello, world\nÄther ♪\n\n00:01.700 --> 00:02.100\n“Second”\n"
EXPECTED = [(1.0, 1.3, "Hello, world Äther ♪"), (1.7, 2.1, "“Second”")]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac")
    picture = "testsrc2=d=2.2:s=160x90:r=30000/1001"
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine=d=2.2", *coding, str(path))
    return path


def an_output_with_captions(container: str, rate: str = "29.97", *, every: float | None = None) -> OutputSpec:
    video = {"codec": "h264", "max_width": 160, "max_height": 90, "frame_rate": rate, "fixed_gop": True}
    chosen = settings(container=container, video=video, audio={"codec": "aac"})
    return an_output(chosen, segment_duration=every, captions=wanted(CaptionFormat.CEA_708))


def captioned(folder: Path, film: Path, output: OutputSpec) -> Made:
    task = a_task(output).model_copy(update={"captions": (beside(CaptionSourceSpec(input=1, language="en")),)})
    return transcoded(folder / "captioned", [film, *written(folder, en=TEXT)], task)


def whole(made: Made, folder: Path) -> Path:
    """What a player would have fetched, one after the other."""
    path = folder / "whole"
    path.write_bytes(b"".join(file.read_bytes() for file in made.files()))
    return path


def heard_by_ffmpeg(path: Path) -> list[tuple[float, float, str]]:
    movie = ("-f", "lavfi", "-i", f"movie={path}[out0+subcc]", "-map", "0:s", "-f", "srt", "-")
    text = subprocess.run(["ffmpeg", "-v", "error", *movie], capture_output=True, check=True).stdout
    places = re.compile(r"(\\h|\s)+")  # of rows on the screen
    cues = read(text) if text else ()
    return [(cue.start / 1000, cue.end / 1000, places.sub(" ", " ".join(cue.lines))) for cue in cues]


def decoded(made: Made) -> tuple[bytes, bytes]:
    """The hash of every picture and of every piece of sound; and when the pictures are shown."""
    source = "concat:" + "|".join(str(file) for file in made.files())
    hashes, times = (
        subprocess.run(["ffmpeg", "-v", "error", "-i", source, *options], capture_output=True, check=True).stdout
        for options in (("-map", "0", "-f", "md5", "-"), ("-map", "0:v", "-f", "framemd5", "-"))
    )
    return hashes, times


@shows("outputs[].captions.formats[].format")
@pytest.mark.parametrize(
    ("container", "rate", "every"),
    [
        ("mp4", "29.97", None),
        ("fmp4", "29.97", None),
        ("ts", "29.97", None),
        ("ts", "29.97", 1.0),
        ("mp4", "25", None),
        ("ts", "60", None),
        ("fmp4", "23.97", None),
    ],
)
def test_pictures_carry_captions_and_are_otherwise_the_same(
    film: Path, tmp_path: Path, container: str, rate: str, every: float | None
) -> None:
    output = an_output_with_captions(container, rate, every=every)
    made = captioned(tmp_path, film, output)
    assert made.failures == {}
    plain = transcoded(tmp_path / "plain", film, a_task(output.model_copy(update={"captions": None})))
    assert decoded(made) == decoded(plain)
    found = heard_by_ffmpeg(whole(made, tmp_path))
    assert [text for _, _, text in found] == [text for _, _, text in EXPECTED]
    frame = max(NTSC, 1 / float(rate)) + 0.001
    for (start, end, _), (begin, until, _) in zip(found, EXPECTED, strict=True):
        assert (start, end) == (pytest.approx(begin, abs=frame), pytest.approx(until, abs=frame))


READER = """
const vm = require('vm'), fs = require('fs'); globalThis.window = globalThis;
vm.runInThisContext(fs.readFileSync(process.argv[2], 'utf8'));
const player = new muxjs.mp4.Transmuxer({captionServices: {SERVICE1: {}}}), found = [];
player.on('data', (one) => (one.captions || []).forEach((c) => found.push([
  c.stream, c.startTime, c.endTime, c.text || c.content.map((row) => row.text).join('\\n')])));
player.on('done', () => console.log(JSON.stringify(found)));
player.push(new Uint8Array(fs.readFileSync(process.argv[3]))); player.flush();
"""


@needs(shutil.which("npm") is not None, "a player's library comes from npm")
def test_a_player_reads_both_codes(film: Path, tmp_path: Path) -> None:
    made = captioned(tmp_path, film, an_output_with_captions("ts", every=1.0))
    (tmp_path / "reader.js").write_text(READER)
    argv = ["node", str(tmp_path / "reader.js"), str(clip("mux")), str(whole(made, tmp_path))]
    found = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    expected = [
        (stream, pytest.approx(start, abs=NTSC), pytest.approx(end, abs=NTSC))
        for start, end, _ in EXPECTED
        for stream in ("CC1", "cc708_1")
    ]
    assert [(stream, start, end) for stream, start, end, _ in found] == expected
    assert [text for *_, text in found] == ["Hello, world\nÄther ♪"] * 2 + ["“Second”"] * 2


@needs(shutil.which("npm") is not None, "the clip comes from npm")
def test_captions_of_a_broadcast_are_read(tmp_path: Path) -> None:
    """They roll up, in two languages: the first channel that has any is taken."""
    output = an_output(settings(container="mp4", video={"codec": "h264"}), captions=wanted(CaptionFormat.WEBVTT))
    made = transcoded(tmp_path / "job", clip("rolled-up"), a_task(output))
    assert made.failures == {}
    first, second, third = shown(keys(made)["subtitles/webvtt-und00000.vtt"])
    assert first[1:] == (pytest.approx(3.504, abs=0.002), "PERIOD, FOLKS.")
    assert second == (first[1], pytest.approx(4.471, abs=0.002), "PERIOD, FOLKS. WE'RE LOSING TIME FROM QUESTION")
    assert third[2] == "PERIOD, FOLKS. WE'RE LOSING TIME FROM QUESTION PERIOD."
    assert heard_by_ffmpeg(made.file()) == []


def test_what_was_embedded_is_read_again(film: Path, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    made = captioned(tmp_path / "first", film, an_output_with_captions("mp4"))
    output = an_output_with_captions("ts").model_copy(update={"captions": wanted(CaptionFormat.CEA_708)})
    again = transcoded(tmp_path / "job", made.file(), a_task(output))
    found = heard_by_ffmpeg(whole(again, tmp_path))
    assert found == heard_by_ffmpeg(made.file())


@pytest.mark.parametrize("rate", ["10", "15"])
def test_pictures_too_slow_for_captions_are_refused(film: Path, tmp_path: Path, rate: str) -> None:
    slow = an_output_with_captions("mp4", rate)
    plain = slow.model_copy(update={"index": 1, "captions": None})
    task = a_task(slow, plain).model_copy(update={"captions": (beside(CaptionSourceSpec(input=1, language="en")),)})
    made = transcoded(tmp_path / "job", [film, *written(tmp_path, en=TEXT)], task)
    assert made.failures[0].code is FailureCode.CAPTIONS_UNFIT_FOR_FRAME_RATE
    assert ffprobe(made.file(1))["streams"]


def test_two_languages_do_not_go_into_one_picture(film: Path, tmp_path: Path) -> None:
    output = an_output_with_captions("mp4")
    plain = output.model_copy(update={"index": 1, "captions": None})
    sources = beside(CaptionSourceSpec(input=1, language="en"), CaptionSourceSpec(input=2, language="de"))
    task = a_task(output, plain).model_copy(update={"captions": (sources,)})
    made = transcoded(tmp_path / "job", [film, *written(tmp_path, en=TEXT, de=TEXT)], task)
    assert made.failures[0].code is FailureCode.CAPTIONS_UNFIT_FOR_FORMAT
