"""What is sent wrongly is refused with a stable code and a pointer to the fault, and changes nothing."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from controlplane.api.problems import STATUS
from controlplane.http.keys import JOBS
from shared.errors import ErrorCode
from tests.builders import hls_document, mp4_settings, ts_settings
from tests.contract.api.service import Caller, Service, a_document


def an_output(**changes: Any) -> dict[str, Any]:
    return {"key": "out.mp4", "settings": mp4_settings()} | changes


FAULTS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "an unknown field": ({"colour": "red"}, "unknown_field", "/colour"),
    "an unknown field below": ({"outputs": [an_output(colour="red")]}, "unknown_field", "/outputs/0/colour"),
    "a watermark for a slot that the settings lack": (
        {"outputs": [an_output(watermarks=[{"preset_watermark_id": "TopLeft", "input_key": "logo.png"}])]},
        "invalid_field",
        "/outputs/0/watermarks/0/preset_watermark_id",
    ),
    "a watermark for a slot that the preset lacks": (
        {
            "outputs": [
                {
                    "key": "out.mp4",
                    "preset_id": "1351620000001-000010",
                    "watermarks": [
                        {"preset_watermark_id": "TopLeft", "input_key": "logo.png"},
                        {"preset_watermark_id": "Middle", "input_key": "logo.png"},
                    ],
                }
            ]
        },
        "invalid_field",
        "/outputs/0/watermarks/1/preset_watermark_id",
    ),
    "a fifth watermark": (
        {"outputs": [an_output(watermarks=[{"preset_watermark_id": "a", "input_key": "logo.png"}] * 5)]},
        "invalid_field",
        "/outputs/0/watermarks",
    ),
    "a watermark on sound": (
        {
            "outputs": [
                {
                    "key": "out.mp3",
                    "preset_id": "1351620000001-300040",
                    "watermarks": [{"preset_watermark_id": "TopLeft", "input_key": "logo.png"}],
                }
            ]
        },
        "invalid_field",
        "/outputs/0/watermarks",
    ),
    "a turn that is no quarter": ({"outputs": [an_output(rotate=45)]}, "invalid_field", "/outputs/0/rotate"),
    "sound that is turned": (
        {"outputs": [{"key": "out.mp3", "preset_id": "1351620000001-300040", "rotate": 90}]},
        "invalid_field",
        "/outputs/0/rotate",
    ),
    "captions in a language that nobody knows": (
        {"inputs": [{"key": "a", "captions": {"sources": [{"key": "a.srt", "language": "xx"}]}}]},
        "invalid_field",
        "/inputs/0/captions/sources/0/language",
    ),
    "captions of one language twice": (
        {"inputs": [{"key": "a", "captions": {"sources": [{"key": k, "language": k} for k in ("en", "eng")]}}]},
        "invalid_field",
        "/inputs/0/captions/sources/1/language",
    ),
    "captions that are shifted by a word": (
        {"inputs": [{"key": "a", "captions": {"sources": [{"key": "a", "language": "en", "offset": "soon"}]}}]},
        "invalid_field",
        "/inputs/0/captions/sources/0/offset",
    ),
    "captions in no form": (
        {"outputs": [an_output(captions={"formats": []})]},
        "invalid_field",
        "/outputs/0/captions/formats",
    ),
    "sidecars without a key": (
        {"outputs": [an_output(captions={"formats": [{"format": "srt"}]})]},
        "invalid_field",
        "/outputs/0/captions/formats/0/pattern",
    ),
    "embedded captions with a key": (
        {"outputs": [an_output(captions={"formats": [{"format": "mov-text", "pattern": "a"}]})]},
        "invalid_field",
        "/outputs/0/captions/formats/0/pattern",
    ),
    "captions embedded twice": (
        {"outputs": [an_output(captions={"formats": [{"format": "mov-text"}, {"format": "cea-708"}]})]},
        "invalid_field",
        "/outputs/0/captions/formats/1/format",
    ),
    "captions that a container does not carry": (
        {"outputs": [{"key": "a.ts", "settings": ts_settings(), "captions": {"formats": [{"format": "mov-text"}]}}]},
        "invalid_field",
        "/outputs/0/captions/formats/0/format",
    ),
    "captions over another output": (
        {
            "outputs": [
                an_output(key="a00000.srt"),
                an_output(captions={"formats": [{"format": "srt", "pattern": "a{language}"}]}),
                an_output(key="b", captions={"formats": [{"format": "srt", "pattern": "a"}, {"format": "mov-text"}]}),
            ]
        },
        "invalid_field",
        "/outputs/2/captions/formats/0/pattern",
    ),
    "no inputs": ({"inputs": []}, "invalid_field", "/inputs"),
    "too many inputs": ({"inputs": [{"key": f"{n}.mp4"} for n in range(201)]}, "invalid_field", "/inputs"),
    "a time in no form": (
        {"inputs": [{"key": "a", "clip": {"start": "1 h"}}]},
        "invalid_field",
        "/inputs/0/clip/start",
    ),
    "a time beyond all bounds": (
        {"outputs": [an_output(clip={"duration": 1e9})]},
        "invalid_field",
        "/outputs/0/clip/duration",
    ),
    "a time before the beginning": (
        {"inputs": [{"key": "a", "clip": {"start": -1}}]},
        "invalid_field",
        "/inputs/0/clip/start",
    ),
    "a clip of nothing": (
        {"inputs": [{"key": "a", "clip": {"duration": "00:00:00"}}]},
        "invalid_field",
        "/inputs/0/clip/duration",
    ),
    "a size without pixels": ({"inputs": [{"key": "a", "resolution": "0x0"}]}, "invalid_field", "/inputs/0/resolution"),
    "a size of a hundred megapixels": (
        {"inputs": [{"key": "a", "resolution": "9999x9999"}]},
        "invalid_field",
        "/inputs/0/resolution",
    ),
    "a shape of no name": (
        {"inputs": [{"key": "a", "aspect_ratio": "5:4"}]},
        "invalid_field",
        "/inputs/0/aspect_ratio",
    ),
    "a rate of no name": ({"inputs": [{"key": "a", "frame_rate": "12"}]}, "invalid_field", "/inputs/0/frame_rate"),
    "a truth in words": ({"inputs": [{"key": "a", "interlaced": "true"}]}, "invalid_field", "/inputs/0/interlaced"),
    "a container that nobody reads": (
        {"inputs": [{"key": "a", "container": "hls"}]},
        "invalid_field",
        "/inputs/0/container",
    ),
    "a playlist of different clips": (
        {
            "outputs": [
                an_output(key="a", settings=ts_settings(), segment_duration=6),
                an_output(key="b", settings=ts_settings(), segment_duration=6, clip={"start": 1}),
            ],
            "playlists": [{"name": "p", "format": "HLSv3", "output_keys": ["a", "b"]}],
        },
        "invalid_field",
        "/playlists/0/output_keys/1",
    ),
    "no outputs": ({"outputs": []}, "invalid_field", "/outputs"),
    "too many outputs": (
        {"outputs": [an_output(key=f"{n}.mp4") for n in range(31)]},
        "invalid_field",
        "/outputs",
    ),
    "a number for a text": ({"pipeline_id": 7}, "invalid_field", "/pipeline_id"),
    "a text for a number": ({"priority": "7"}, "invalid_field", "/priority"),
    "a truth for a number": ({"priority": True}, "invalid_field", "/priority"),
    "a fraction for a whole number": ({"priority": 1.5}, "invalid_field", "/priority"),
    "a number out of range": ({"priority": 51}, "invalid_field", "/priority"),
    "a number beyond all bounds": ({"priority": 10**30}, "invalid_field", "/priority"),
    "null where something must be": ({"inputs": None}, "invalid_field", "/inputs"),
    "an object for a list": ({"outputs": {}}, "invalid_field", "/outputs"),
    "a pipeline that never was": ({"pipeline_id": "1111111111111-abcdef"}, "invalid_field", "/pipeline_id"),
    "a preset that never was": (
        {"outputs": [{"key": "a", "preset_id": "1111111111111-abcdef"}]},
        "invalid_field",
        "/outputs/0/preset_id",
    ),
    "no key": ({"outputs": [{"settings": mp4_settings()}]}, "missing_field", "/outputs/0/key"),
    "neither preset nor settings": ({"outputs": [{"key": "a"}]}, "invalid_field", "/outputs/0"),
    "an escape": ({"inputs": [{"key": "../x"}]}, "invalid_field", "/inputs/0/key"),
    "an absolute key": ({"inputs": [{"key": "/x"}]}, "invalid_field", "/inputs/0/key"),
    "a key of the service": ({"outputs": [an_output(key=".transcoder/x")]}, "invalid_field", "/outputs/0/key"),
    "a key of the service in two pieces": (
        {"output_key_prefix": ".trans", "outputs": [an_output(key="coder/staging/x")]},
        "invalid_field",
        "/outputs/0/key",
    ),
    "a whole key that is too long": (
        {"output_key_prefix": "🎬" * 200 + "/", "outputs": [an_output(key="🎬" * 200)]},
        "invalid_field",
        "/outputs/0/key",
    ),
    "a key of too many segments": ({"inputs": [{"key": "a/" * 64 + "b"}]}, "invalid_field", "/inputs/0/key"),
    "a whole key of too many segments": (
        {"output_key_prefix": "a/" * 40, "outputs": [an_output(key="a/" * 24 + "b")]},
        "invalid_field",
        "/outputs/0/key",
    ),
    "a container that does not carry a codec": (
        {"outputs": [an_output(settings=mp4_settings() | {"container": "webm"})]},
        "invalid_field",
        "/outputs/0/settings/video/codec",
    ),
    "two sources of quality": (
        {"outputs": [an_output(settings=ts_settings(quality=20))]},
        "invalid_field",
        "/outputs/0/settings/video/quality",
    ),
    "segments of an mp4": (
        {"outputs": [an_output(segment_duration=6)]},
        "invalid_field",
        "/outputs/0/segment_duration",
    ),
    "two outputs of one key": (
        {"outputs": [an_output(key="a"), an_output(), an_output()]},
        "invalid_field",
        "/outputs/2/key",
    ),
    "two playlists of one name": (
        {"playlists": [{"name": "p", "format": "HLSv3", "output_keys": ["out.mp4"]}] * 2},
        "invalid_field",
        "/playlists/1/name",
    ),
    "an output below another": (
        {"outputs": [an_output(key="a"), an_output(key="a/b")]},
        "invalid_field",
        "/outputs/1/key",
    ),
    "an output above another": (
        {"outputs": [an_output(key="a/b/c"), an_output(key="a")]},
        "invalid_field",
        "/outputs/1/key",
    ),
    "a playlist of no output": (
        {"playlists": [{"name": "p", "format": "HLSv3", "output_keys": ["none"]}]},
        "invalid_field",
        "/playlists/0/output_keys/0",
    ),
    "a playlist of an mp4": (
        {"playlists": [{"name": "p", "format": "HLSv3", "output_keys": ["out.mp4"]}]},
        "invalid_field",
        "/playlists/0/output_keys/0",
    ),
    "a playlist of no format": (
        {"playlists": [{"name": "p", "format": "HLSv9", "output_keys": ["out.mp4"]}]},
        "invalid_field",
        "/playlists/0/format",
    ),
    "thumbnails without a count": (
        {"outputs": [an_output(thumbnails={"pattern": "x"})]},
        "invalid_field",
        "/outputs/0/thumbnails/pattern",
    ),
    "a bad name of metadata": ({"metadata": {"a~b/ü": "x"}}, "invalid_field", "/metadata/a~0b~1ü"),
    "a bad value of metadata called int": ({"metadata": {"int": "\0"}}, "invalid_field", "/metadata/int"),
    "a bad label": ({"placement": {"labels": {"UPPER": "x"}}}, "invalid_field", "/placement/labels/UPPER"),
    "a token of another alphabet": ({"client_request_token": "ü"}, "invalid_field", "/client_request_token"),
    "a token that is too long": ({"client_request_token": "x" * 65}, "invalid_field", "/client_request_token"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_faulty_job_is_refused_with_a_pointer(tenant: Caller, pipeline: str, name: str) -> None:
    changes, code, pointer = FAULTS[name]
    answer = await tenant.post("/v1/jobs", a_document(pipeline) | changes)
    status, got, at = answer.fault
    assert (status, got) == (400, code), answer.content
    if pointer is not None:
        assert at == pointer
    assert answer.json["detail"].endswith((".", "'")) or len(answer.json["detail"]) > 10
    assert (await tenant.get("/v1/jobs")).json["items"] == []


async def test_a_refusal_is_told_in_words_for_people(service: Service, operator: Caller, tenant: Caller) -> None:
    """Not by the pattern that did not match, nor with the name of an exception before it."""
    wrong = [
        await tenant.post("/v1/jobs", a_document("web")),
        await operator.post("/v1/topics", {"arn": "films-done", "url": "https://shop.example/sns"}),
        await tenant.post("/v1/users", {"name": "a", "permissions": [{"actions": ["jobs:fly"], "resources": ["*"]}]}),
    ]
    assert [(answer.status, answer.json["detail"]) for answer in wrong] == [
        (400, "No id has this form; they look like 1763750000000-a1b2c3."),
        (400, "No topic has this form; they look like arn:aws:sns:eu-west-1:123456789012:films-done."),
        (400, "There is no action 'jobs:fly'; there are jobs:read, jobs:* and others."),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"{'a': 1}", b'{"a": 1} x', b"[" * 5000, b'{"pipeline_id": "\\ud800"}',
        b'{"priority": NaN}', b"\x00",
    ],
)  # fmt: skip
async def test_what_is_no_document_is_refused(tenant: Caller, content: bytes) -> None:
    answer = await tenant.post("/v1/jobs", content=content)
    assert (answer.status, answer.code) in {
        (400, "malformed_request"),
        (400, "missing_field"),
        (400, "invalid_field"),
    }


async def test_a_document_that_is_too_large_is_refused_with_and_without_a_length(tenant: Caller) -> None:
    async def pieces() -> Any:
        for _ in range(30):
            yield b" " * 10_000

    assert (await tenant.post("/v1/jobs", content=io.BytesIO(b" " * 300_000))).fault[:2] == (413, "too_large")
    assert (await tenant.post("/v1/jobs", content=pieces())).fault[:2] == (413, "too_large")


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/v1/jobs?page_size=0", "/page_size"),
        ("/v1/jobs?page_size=201", "/page_size"),
        ("/v1/jobs?page_size=x", "/page_size"),
        ("/v1/jobs?status=Done", "/status"),
        ("/v1/jobs?pipeline_id=x", "/pipeline_id"),
        ("/v1/jobs?cluster_id=%00", "/cluster_id"),
        ("/v1/jobs?colour=red", "/colour"),
        ("/v1/pipelines?status=x", "/status"),
        ("/v1/jobs/x/events?after=-1", "/after"),
        ("/v1/jobs/x/events?after=99999999999999999999999", "/after"),
        (f"/v1/jobs/x/events?after={'9' * 5000}", "/after"),
    ],
)
async def test_a_faulty_parameter_is_refused_with_a_pointer(tenant: Caller, path: str, pointer: str) -> None:
    status, _, at = (await tenant.get(path)).fault
    assert (status, at) == (400, pointer)


ODD = ["%00", "%FF", "%ED%A0%80", "..%2F..%2Fx", "%2e%2e", "a%00b", "%F0%9F%8E%AC", "a" * 5000, "'", "%25", "%0a"]


@pytest.mark.parametrize("odd", ODD)
async def test_no_name_in_a_path_is_a_fault_of_ours(tenant: Caller, operator: Caller, odd: str) -> None:
    for path in (
        "/v1/jobs/{}",
        "/v1/pipelines/{}",
        "/v1/presets/{}",
        "/v1/buckets/{}/objects",
        "/docs/{}",
        "/docs/errors/{}",
    ):
        assert (await tenant.get(path.format(odd))).status in (400, 404), path
    for path in ("/v1/tenants/{}", "/v1/clusters/{}", "/v1/nodes/{}"):
        assert (await operator.get(path.format(odd))).status in (400, 404), path
    await tenant.pipeline()
    assert (await tenant.call("DELETE", f"/v1/buckets/bucket/objects/{odd}")).status in (400, 404)
    assert (await tenant.call("DELETE", f"/v1/keys/{odd}")).status in (400, 404)


@pytest.mark.parametrize("odd", ODD)
async def test_no_text_in_a_parameter_is_a_fault_of_ours(tenant: Caller, odd: str) -> None:
    await tenant.pipeline()
    for path in ("/v1/buckets/bucket/objects?prefix={}", "/v1/jobs?page_token={}", "/v1/buckets?page_token={}"):
        assert (await tenant.get(path.format(odd))).status in (200, 400), path


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/v1/keys", {"label": "a\0b"}),
        ("/v1/presets", {"name": "p", "description": "a\0b", "settings": mp4_settings()}),
        ("/v1/pipelines", {"name": "a\0b", "input_bucket": "b", "output_bucket": "b"}),
        ("/v1/buckets", {"name": "a/b"}),
        ("/v1/buckets", {"name": ".."}),
        ("/v1/buckets", {"name": "x" * 300}),
    ],
)
async def test_names_and_texts_are_plain(tenant: Caller, path: str, document: dict[str, Any]) -> None:
    assert (await tenant.post(path, document)).fault[:2] == (400, "invalid_field")


async def test_an_unknown_path_and_an_unknown_method_are_told_apart(tenant: Caller) -> None:
    assert (await tenant.get("/v1/nowhere")).fault[:2] == (404, "not_found")
    answer = await tenant.call("PUT", "/v1/jobs")
    assert answer.fault[:2] == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) >= {"GET", "POST"}


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(ErrorCode)


async def test_a_fault_of_ours_tells_nothing_about_us(
    tenant: Caller, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("secret of /var/lib")

    monkeypatch.setattr(service.app[JOBS], "page", fails)
    answer = await tenant.get("/v1/jobs")
    assert answer.fault == (500, "internal", None)
    assert b"secret" not in answer.content


async def test_a_whole_ladder_is_taken(tenant: Caller, pipeline: str) -> None:
    made = await tenant.post("/v1/jobs", hls_document(pipeline, metadata={"a": "b"}, priority=-3))
    assert made.status == 201
    view = made.json
    assert view["priority"] == -3
    assert view["metadata"] == {"a": "b"}
    assert [output["id"] for output in view["outputs"]] == ["1", "2"]
    assert view["playlists"][0]["status"] == "Submitted"
    assert made.headers["Location"] == f"/v1/jobs/{view['id']}"
    assert json.loads((await tenant.get(made.headers["Location"])).content) == view
