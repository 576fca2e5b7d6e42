"""Jobs that make the same of other films: what was found out for one holds for the next, and no further."""

from __future__ import annotations

import pytest

from tests.builders import a_document, hls_document, mp4_settings
from tests.contract.api.service import Caller

WIDE = "电" * 255
"""As long as a prefix or a key may be, in characters; both together have too many bytes."""


async def test_the_answer_to_a_submission_is_the_job_as_it_is_read(tenant: Caller, pipeline: str) -> None:
    for prefix in ("first/", "second/", "third/"):
        document = hls_document(pipeline, output_key_prefix=prefix, metadata={"film": prefix}, priority=7)
        answer = await tenant.post("/v1/jobs", document)
        read = await tenant.get(f"/v1/jobs/{answer.json['id']}")
        assert answer.json == read.json
        assert [output["key"] for output in read.json["outputs"]] == ["low", "high"]


@pytest.mark.parametrize(("prefix", "key"), [(".trans", "coder/x.mp4"), (WIDE, WIDE)])
async def test_a_prefix_is_looked_at_for_every_job(tenant: Caller, pipeline: str, prefix: str, key: str) -> None:
    document = a_document(pipeline, outputs=[{"key": key, "settings": mp4_settings()}])
    for _ in range(2):
        assert (await tenant.post("/v1/jobs", document)).status == 201
    for _ in range(2):
        refused = await tenant.post("/v1/jobs", document | {"output_key_prefix": prefix})
        assert refused.fault == (400, "invalid_field", "/outputs/0/key")
    assert (await tenant.post("/v1/jobs", document | {"output_key_prefix": "films/"})).status == 201


async def test_a_preset_that_was_deleted_is_no_part_of_any_recipe(tenant: Caller, pipeline: str) -> None:
    wanted = {"name": "mine", "settings": mp4_settings()}
    preset_id = (await tenant.post("/v1/presets", wanted)).json["id"]
    document = a_document(pipeline, outputs=[{"key": "x.mp4", "preset_id": preset_id}])
    for _ in range(3):
        assert (await tenant.post("/v1/jobs", document)).status == 201
    assert (await tenant.call("DELETE", f"/v1/presets/{preset_id}")).status == 204
    assert (await tenant.post("/v1/jobs", document)).fault == (400, "invalid_field", "/outputs/0/preset_id")


async def test_what_one_input_may_several_may_not(tenant: Caller, pipeline: str) -> None:
    captions = {"sources": [{"key": "en.vtt", "language": "en"}], "formats": [{"format": "mov-text"}]}
    output = {"key": "x.mp4", "settings": mp4_settings(), "captions": captions}
    document = a_document(pipeline, outputs=[output])
    for _ in range(3):
        assert (await tenant.post("/v1/jobs", document)).status == 201
    several = await tenant.post("/v1/jobs", document | {"inputs": [{"key": "a.mp4"}, {"key": "b.mp4"}]})
    assert several.fault == (400, "invalid_field", "/outputs/0/captions/sources")
