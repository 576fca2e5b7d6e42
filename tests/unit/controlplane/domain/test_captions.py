"""Captions as jobs are checked and planned: what goes together, and under which keys a node may publish them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from controlplane.domain import planning
from controlplane.domain.planning import captions
from controlplane.domain.sources import sources
from shared.errors import InvalidField
from shared.jobspec import JobDocument
from tests.builders import a_document, ts_settings, work_of

WEBVTT = {"formats": [{"format": "webvtt", "pattern": "subtitles/{language}"}]}


def video(key: str, **fields: Any) -> dict[str, Any]:
    return {"key": key, "settings": ts_settings(), "segment_duration": 6.0, "captions": WEBVTT} | fields


def fragmented(key: str, **fields: Any) -> dict[str, Any]:
    settings = {"container": "fmp4", "video": {"codec": "h264", "fixed_gop": True}}
    return {"key": key, "settings": settings, "segment_duration": 6.0} | fields


def sound(key: str) -> dict[str, Any]:
    return {"key": key, "settings": {"container": "ts", "audio": {"codec": "aac"}}, "segment_duration": 6.0}


def a_job(*outputs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    playlist = {"name": "index", "format": "HLSv3", "output_keys": [output["key"] for output in outputs]}
    document: dict[str, Any] = a_document("1763740000000-q7w2e1", outputs=list(outputs), playlists=[playlist], **fields)
    return document


def check(document: dict[str, Any]) -> None:
    planning.check(JobDocument.model_validate_json(orjson.dumps(document)), {})


def test_outputs_of_a_playlist_share_their_captions() -> None:
    check(a_job(video("low"), video("high")))


def test_sound_goes_with_pictures_that_have_captions() -> None:
    check(a_job(sound("sound"), video("low"), video("high")))


def test_pictures_of_a_playlist_have_the_same_captions() -> None:
    with pytest.raises(InvalidField) as refused:
        check(a_job(sound("sound"), video("low"), video("high", captions=None)))
    assert refused.value.pointer == "/playlists/0/output_keys/2"


def test_captions_of_other_stretches_or_segments_do_not_share_a_key() -> None:
    for fields in ({"clip": {"start": 1}}, {"segment_duration": 4.0}):
        document = a_job(video("low"), video("high", **fields)) | {"playlists": []}
        with pytest.raises(InvalidField) as refused:
            check(document)
        assert refused.value.pointer == "/outputs/1/captions/formats/0/pattern"


@pytest.mark.parametrize(
    ("key", "may"),
    [
        ("a/subtitles/en00000.vtt", True),
        ("a/subtitles/deu12345.vtt", True),
        ("a/subtitles/en.m3u8", True),
        ("a/subtitles/en.vtt", False),
        ("a/subtitles/en0000.vtt", False),
        ("a/subtitles/en00000.srt", False),
        ("a/subtitles/../en00000.vtt", False),
        ("a/subtitles/EN00000.vtt", False),
        ("subtitles/en00000.vtt", False),
    ],
)
def test_a_node_publishes_captions_where_they_were_asked_for_and_nowhere_else(key: str, may: bool) -> None:
    (spec,) = work_of(a_job(video("low"), output_key_prefix="a/")).outputs
    assert spec.captions is not None
    assert captions.may_be(key, spec.captions, spec.settings.container) is may


def test_timed_text_beside_fragments_is_in_fragments_too() -> None:
    dfxp = {"formats": [{"format": "dfxp", "pattern": "subtitles/{language}"}]}
    (spec,) = work_of(a_job(fragmented("low", captions=dfxp), output_key_prefix="a/") | {"playlists": []}).outputs
    assert spec.captions is not None
    container = spec.settings.container
    assert captions.may_be("a/subtitles/en00000.ismt", spec.captions, container)
    assert not captions.may_be("a/subtitles/en00000.dfxp", spec.captions, container)


def test_captions_that_a_smooth_playlist_names_are_not_encrypted_as_files() -> None:
    dfxp = {"formats": [{"format": "dfxp", "pattern": "subtitles/{language}", "encryption": {"mode": "aes-ctr"}}]}
    document = a_job(fragmented("low", captions=dfxp))
    check(document | {"playlists": []})
    with pytest.raises(InvalidField) as refused:
        check(document | {"playlists": [{"name": "film", "format": "Smooth", "output_keys": ["low"]}]})
    assert refused.value.pointer == "/outputs/0/captions/formats/0/encryption"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("key", "may"),
    [("en/en/en" * 7 + "00000.vtt", True), ("en/en/de" * 7 + "00000.vtt", False), ("e" * 200 + "00000.vtt", False)],
)
def test_a_language_is_the_same_wherever_it_stands(key: str, may: bool) -> None:
    wanted = {"formats": [{"format": "webvtt", "pattern": "{language}/{language}/{language}" * 7}]}
    (spec,) = work_of(a_job(video("low", captions=wanted))).outputs
    assert spec.captions is not None
    assert captions.may_be(key, spec.captions, spec.settings.container) is may


def test_caption_files_follow_the_inputs_each_once() -> None:
    told = {"sources": [{"key": key, "language": key} for key in ("en", "de")]}
    document = a_job(video("low", captions=WEBVTT | told), inputs=[{"key": "film", "captions": told}])
    read = sources(JobDocument.model_validate_json(orjson.dumps(document)))
    assert [(source.key, source.is_input) for source in read] == [("film", True), ("en", False), ("de", False)]
    work = work_of(document)
    assert work.captions[0] is not None
    assert [source.input for source in work.captions[0].sources] == [1, 2]
    own = work.outputs[0].captions
    assert own is not None
    assert own.own == work.captions[0]
