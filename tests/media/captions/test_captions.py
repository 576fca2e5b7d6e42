"""Captions through a whole job: what goes in beside or within an input, and what independent programs read of the outcome."""

from __future__ import annotations

import re
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from agent.media.captions import read
from shared.failures import Cause, FailureCode
from shared.jobspec.captions import CaptionFormat, MergePolicy
from shared.jobspec.encryption import EncryptionMode
from shared.protocol import CaptionFormatSpec, CaptionSourceSpec, InputCaptionsSpec, OutputCaptionsSpec, TranscodeFile
from tests.builders import work_of
from tests.fields import shows
from tests.media.encoding import Made, ffmpeg, ffprobe, transcoded
from tests.unit.agent.jobs.test_encryption import a_cipher, expected
from tests.unit.agent.media.builders import a_task, an_output, settings

pytestmark = pytest.mark.media

ENGLISH = "1\n00:00:00,200 --> 00:00:00,700\nGood morning\n\n2\n00:00:00,800 --> 00:00:01,500\n<i>Good</i> night\n"
GERMAN = "WEBVTT\n\n00:00.200 --> 00:00.700\nGuten Morgen\n"
MP4 = settings(container="mp4", video={"codec": "h264", "max_width": 160, "max_height": 90, "frame_rate": "25"})
FRAME = 0.04
SIDECARS = (CaptionFormat.SRT, CaptionFormat.WEBVTT, CaptionFormat.DFXP, CaptionFormat.SCC)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1.6 s of 25 frames per second, with sound."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    sound = ("-f", "lavfi", "-i", "sine=d=1.6")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=d=1.6:s=160x90:r=25", *sound, "-c:v", "libx264", "-c:a", "aac", str(path))
    return path


def wanted(*formats: CaptionFormat, own: InputCaptionsSpec | None = None) -> OutputCaptionsSpec:
    patterns = {form: None if form.is_embedded else f"subtitles/{form}-{{language}}" for form in formats}
    return OutputCaptionsSpec(
        formats=tuple(CaptionFormatSpec(format=form, pattern=pattern) for form, pattern in patterns.items()), own=own
    )


def beside(*sources: CaptionSourceSpec, policy: MergePolicy = MergePolicy.MERGE_OVERRIDE) -> InputCaptionsSpec:
    return InputCaptionsSpec(merge_policy=policy, sources=sources)


def a_captioned_task(captions: InputCaptionsSpec | None, *formats: CaptionFormat) -> TranscodeFile:
    task = a_task(an_output(MP4, captions=wanted(*formats)))
    return task.model_copy(update={"captions": (captions,)})


def written(folder: Path, **texts: str) -> list[Path]:
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def keys(made: Made) -> dict[str, Path]:
    return {produced.key: made.uploaded / produced.name for produced in made.objects(role="captions")}


def shown(path: Path) -> list[tuple[float, float, str]]:
    """What ffmpeg reads of a file."""
    text = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:s:0", "-f", "srt", "-"], capture_output=True, check=True
    ).stdout.decode()
    cues = read(text.encode())
    return [(cue.start / 1000, cue.end / 1000, " ".join(cue.lines)) for cue in cues]


@shows(
    "inputs[].captions.sources[].key",
    "inputs[].captions.sources[].language",
    "outputs[].captions.formats[].format",
    "outputs[].captions.formats[].pattern",
)
def test_sidecars_come_out_in_every_format(film: Path, tmp_path: Path) -> None:
    files = written(tmp_path, en=ENGLISH, de=GERMAN)
    sources = beside(CaptionSourceSpec(input=1, language="en"), CaptionSourceSpec(input=2, language="deu"))
    made = transcoded(tmp_path / "job", [film, *files], a_captioned_task(sources, *SIDECARS))
    assert made.failures == {}
    found = keys(made)
    assert set(found) == {
        f"subtitles/{form}-{language}00000.{extension}"
        for form, extension in (("srt", "srt"), ("webvtt", "vtt"), ("dfxp", "dfxp"), ("scc", "scc"))
        for language in ("en", "deu")
    }
    english = [(0.2, 0.7, "Good morning"), (0.8, 1.5, "Good night")]
    assert shown(found["subtitles/srt-en00000.srt"]) == english
    assert shown(found["subtitles/webvtt-en00000.vtt"]) == english
    assert shown(found["subtitles/srt-deu00000.srt"]) == [(0.2, 0.7, "Guten Morgen")]


@shows("inputs[].captions.sources[].label")
def test_captions_become_tracks_with_language_and_label(film: Path, tmp_path: Path) -> None:
    files = written(tmp_path, en=ENGLISH, de=GERMAN)
    labelled = CaptionSourceSpec(input=1, language="en", label="Engl=ish; #1")
    sources = beside(labelled, CaptionSourceSpec(input=2, language="de"))
    made = transcoded(tmp_path / "job", [film, *files], a_captioned_task(sources, CaptionFormat.MOV_TEXT))
    assert made.failures == {}
    tracks = [stream for stream in ffprobe(made.file())["streams"] if stream["codec_type"] == "subtitle"]
    assert [(track["codec_name"], track["tags"]["language"], track["tags"]["handler_name"]) for track in tracks] == [
        ("mov_text", "eng", "Engl=ish; #1"),
        ("mov_text", "deu", "de"),
    ]
    assert [track["disposition"]["default"] for track in tracks] == [1, 0]
    assert shown(made.file()) == [(0.2, 0.7, "Good morning"), (0.8, 1.5, "Good night")]
    assert not any("ish" in word for command in made.commands for word in command)


@shows("inputs[].captions.sources[].offset")
@pytest.mark.parametrize(("offset", "expected"), [(0.1, (0.3, 0.8)), (-0.4, (0.0, 0.3))])
def test_an_offset_moves_every_caption(
    film: Path, tmp_path: Path, offset: float, expected: tuple[float, float]
) -> None:
    files = written(tmp_path, de=GERMAN)
    sources = beside(CaptionSourceSpec(input=1, language="de", offset=offset))
    made = transcoded(tmp_path / "job", [film, *files], a_captioned_task(sources, CaptionFormat.SRT))
    assert shown(keys(made)["subtitles/srt-de00000.srt"]) == [(*expected, "Guten Morgen")]


@pytest.fixture(scope="module", params=["mp4", "mkv"])
def captioned(film: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The film with captions in English and French within it."""
    folder = tmp_path_factory.mktemp("captioned")
    english, french = written(folder, en=ENGLISH, fr="WEBVTT\n\n00:00.500 --> 00:01.000\nBonjour\n")
    path = folder / f"captioned.{request.param}"
    codec = "mov_text" if request.param == "mp4" else "webvtt"
    tagged = ("-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=fre")
    inputs = ("-i", str(film), "-f", "srt", "-i", str(english), "-i", str(french))
    ffmpeg(*inputs, "-map", "0", "-map", "1", "-map", "2", "-c", "copy", "-c:s", codec, *tagged, str(path))
    return path


@shows("inputs[].captions.merge_policy", "outputs[].captions.merge_policy", "outputs[].captions.sources")
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, {"en": "Good morning", "fr": "Bonjour"}),
        (MergePolicy.MERGE_OVERRIDE, {"eng": "Beside", "fr": "Bonjour"}),
        (MergePolicy.MERGE_RETAIN, {"en": "Good morning", "fr": "Bonjour"}),
        (MergePolicy.OVERRIDE, {"eng": "Beside"}),
    ],
)
@pytest.mark.parametrize("of_output", [False, True])
def test_policies_decide_between_what_is_embedded_and_what_lies_beside(
    captioned: Path, tmp_path: Path, policy: MergePolicy | None, expected: dict[str, str], of_output: bool
) -> None:
    files = written(tmp_path, en="WEBVTT\n\n00:00.200 --> 00:00.700\nBeside\n")
    told = policy and beside(CaptionSourceSpec(input=1, language="eng"), policy=policy)
    task = a_captioned_task(None if of_output else told, CaptionFormat.SRT)
    if of_output:
        output = task.outputs[0].model_copy(update={"captions": wanted(CaptionFormat.SRT, own=told)})
        task = task.model_copy(update={"outputs": (output,)})
    made = transcoded(tmp_path / "job", [captioned, *files] if told else captioned, task)
    assert {re.sub(".*-|0.*", "", key): shown(path)[0][2] for key, path in keys(made).items()} == expected


def test_an_output_that_asks_for_no_captions_has_none(captioned: Path, tmp_path: Path) -> None:
    made = transcoded(tmp_path / "job", captioned, a_task(an_output(MP4)))
    assert [stream["codec_type"] for stream in ffprobe(made.file())["streams"]] == ["video"]
    assert len(made.outputs[0].objects) == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("Just a letter.\n", FailureCode.CAPTIONS_UNREADABLE),
        ("<!DOCTYPE tt [<!ENTITY a 'b'>]><tt><body>&a;</body></tt>", FailureCode.CAPTIONS_UNREADABLE),
        ("1\n00:00:01,000 --> 00:00:02,000\n\udce9\n", FailureCode.CAPTIONS_NOT_UTF8),
    ],
)
def test_captions_that_cannot_be_read_fail_only_the_output_that_wants_them(
    film: Path, tmp_path: Path, content: str, code: FailureCode
) -> None:
    (tmp_path / "bad").write_bytes(content.encode(errors="surrogateescape"))
    task = a_captioned_task(beside(CaptionSourceSpec(input=1, language="en")), CaptionFormat.SRT)
    plain = an_output(MP4, 1)
    task = task.model_copy(update={"outputs": (*task.outputs, plain)})
    made = transcoded(tmp_path / "job", [film, tmp_path / "bad"], task)
    assert {index: (failure.cause, failure.code) for index, failure in made.failures.items()} == {
        0: (Cause.INPUT, code)
    }
    assert ffprobe(made.file(1))["streams"]


def test_letters_that_a_format_lacks_are_refused_and_not_lost(film: Path, tmp_path: Path) -> None:
    files = written(tmp_path, ja="WEBVTT\n\n00:00.200 --> 00:00.700\nおはようございます\n")
    task = a_captioned_task(beside(CaptionSourceSpec(input=1, language="ja")), CaptionFormat.SCC)
    task = task.model_copy(update={"outputs": (*task.outputs, an_output(MP4, 1))})
    made = transcoded(tmp_path / "job", [film, *files], task)
    assert made.failures[0].code is FailureCode.CAPTIONS_UNFIT_FOR_FORMAT


@shows("inputs[].captions.sources[].key")
def test_captions_go_with_their_inputs_through_a_job_of_several(film: Path, captioned: Path, tmp_path: Path) -> None:
    """Of the first from 0.5 s on, one second; all of the second; and of both together what lies between 0.2 and 2.2 s."""
    files = written(tmp_path, en=ENGLISH)
    document = {
        "pipeline_id": "1763740000000-q7w2e1",
        "inputs": [
            {
                "key": "film",
                "clip": {"start": 0.5, "duration": 1},
                "captions": {"sources": [{"key": "en", "language": "en"}]},
            },
            {"key": "captioned"},
        ],
        "outputs": [
            {
                "key": f"{number}.mp4",
                "settings": {"container": "mp4", "video": {"codec": "h264", "max_width": 160, "max_height": 90}},
                "captions": {"formats": [{"format": "mov-text"}, {"format": "srt", "pattern": f"{number}-"}]},
                "clip": clip,
            }
            for number, clip in enumerate([None, {"start": 0.2, "duration": 2}])
        ],
    }
    made = transcoded(tmp_path / "job", [film, captioned, *files], work_of(document))
    assert made.failures == {}
    whole = [(0.0, 0.2, "Good morning"), (0.3, 1.0, "Good night"), (1.2, 1.7, "Good morning"), (1.8, 2.5, "Good night")]
    within = [(0.1, 0.8, "Good night"), (1.0, 1.5, "Good morning"), (1.6, 2.0, "Good night")]
    for index, cues in enumerate([whole, within]):
        (sidecar,) = made.files(index, "captions")
        assert shown(sidecar) == [
            (pytest.approx(start, abs=FRAME), pytest.approx(end, abs=FRAME), text) for start, end, text in cues
        ]
        assert shown(made.file(index)) == shown(sidecar)


@shows("inputs[].captions.sources[].encryption", "outputs[].captions.formats[].encryption")
def test_caption_files_are_read_and_written_encrypted(film: Path, tmp_path: Path) -> None:
    cipher = a_cipher(EncryptionMode.AES_GCM, 32)
    english, german = tmp_path / "en.enc", tmp_path / "de.enc"
    english.write_bytes(expected(cipher, ENGLISH.encode()))
    german.write_bytes(expected(cipher, GERMAN.encode()))
    sources = beside(CaptionSourceSpec(input=1, language="en"), CaptionSourceSpec(input=2, language="de"))
    plain = CaptionFormatSpec(format=CaptionFormat.WEBVTT, pattern="plain-{language}")
    closed = CaptionFormatSpec(format=CaptionFormat.SRT, pattern="closed-{language}", encryption=cipher)
    task = a_task(an_output(MP4, captions=OutputCaptionsSpec(formats=(plain, closed))))
    files = [film, english, german]
    made = transcoded(
        tmp_path / "job", files, task.model_copy(update={"captions": (sources,)}), ciphers={1: cipher, 2: cipher}
    )
    assert made.failures == {}
    vectors = {one.key: one.initialization_vector for one in made.objects(role="captions")}
    found = keys(made)
    assert shown(found["plain-de00000.vtt"]) == [(0.2, 0.7, "Guten Morgen")]
    assert vectors["plain-de00000.vtt"] is None
    texts = {}
    for language in ("en", "de"):
        key = f"closed-{language}00000.srt"
        stored, vector = found[key].read_bytes(), vectors[key]
        assert vector is not None
        texts[language] = AESGCM(b64decode(cipher.key)).decrypt(b64decode(vector), stored, None).decode()
    assert "Good morning" in texts["en"]
    assert "Guten Morgen" in texts["de"]
    assert len({vectors[f"closed-{language}00000.srt"] for language in ("en", "de")}) == 2
