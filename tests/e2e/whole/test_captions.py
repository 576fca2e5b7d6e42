"""Captions of a job, end to end: submitted over HTTP, made by an agent, published under their keys."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.whole.service import Refused, Service
from tests.e2e.whole.test_main_job import probed

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("whole service")]

ENGLISH = "1\n00:00:01,000 --> 00:00:02,000\nGood morning\n\n2\n00:00:03,500 --> 00:00:09,000\nGood night\n"
SMALL = {"container": "mp4", "video": {"codec": "h264", "max_width": 160, "max_height": 90}}


def an_output(key: str, captions: dict[str, Any]) -> dict[str, Any]:
    return {"key": key, "settings": SMALL, "captions": captions}


def submitted(service: Service, outputs: list[dict[str, Any]], base: str, **fields: Any) -> str:
    told = {"key": "in/bunny.mp4"} | fields
    document = {"pipeline_id": service.pipeline_id, "inputs": [told], "output_key_prefix": base, "outputs": outputs}
    return str(service.call("POST", "/v1/jobs", document)["id"])


def test_captions_appear_under_their_keys(service: Service) -> None:
    service.put("in/english.srt", ENGLISH.encode())
    base = f"{uuid4().hex}/"
    sources = [{"key": "in/english.srt", "language": "en", "offset": "-00:00:00.5", "label": "English"}]
    formats = [{"format": "mov-text"}, {"format": "webvtt", "pattern": "subtitles/{language}-"}]
    job = service.ended(
        submitted(
            service, [an_output("film.mp4", {"formats": formats})], base,
            clip={"start": 0.25, "duration": 4}, captions={"merge_policy": "override", "sources": sources},
        )
    )  # fmt: skip
    assert job["status"] == "Complete", job
    text = (service.outputs / base / "subtitles" / "en-00000.vtt").read_text()
    assert text == (
        "WEBVTT\n\n00:00:00.250 --> 00:00:01.250\nGood morning\n\n00:00:02.750 --> 00:00:04.000\nGood night\n"
    )
    track = probed(service.outputs / base / "film.mp4")["streams"][-1]
    assert (track["codec_name"], track["tags"]["handler_name"]) == ("mov_text", "English")
    assert job["inputs"][0]["captions"]["sources"][0]["offset"] == "-00:00:00.5"


def test_a_caption_file_that_is_missing_fails_only_the_output_that_wants_it(service: Service) -> None:
    base = f"{uuid4().hex}/"
    captions = {
        "formats": [{"format": "srt", "pattern": "a"}],
        "sources": [{"key": "in/nowhere.srt", "language": "en"}],
    }
    plain = an_output("plain.mp4", captions) | {"captions": None}
    job = service.ended(submitted(service, [an_output("film.mp4", captions), plain], base))
    assert job["status"] == "Error"
    assert [output["status"] for output in job["outputs"]] == ["Error", "Complete"]
    assert job["outputs"][0]["status_detail"]["code"] == 3001
    assert [path.name for path in (service.outputs / base).iterdir()] == ["plain.mp4"]


def test_captions_of_outputs_are_for_jobs_with_one_input(service: Service) -> None:
    captions = {"formats": [{"format": "mov-text"}], "merge_policy": "override"}
    document = {
        "pipeline_id": service.pipeline_id,
        "inputs": [{"key": "in/bunny.mp4"}] * 2,
        "outputs": [an_output("film.mp4", captions)],
    }
    with pytest.raises(Refused) as refused:
        service.call("POST", "/v1/jobs", document)
    assert refused.value.problem["pointer"] == "/outputs/0/captions/merge_policy"
