"""From the wire to the native document and back."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from controlplane.dialects.elastictranscoder import translation
from controlplane.dialects.elastictranscoder.jobs.documents import document
from controlplane.dialects.elastictranscoder.jobs.structures import CreateJob
from shared.errors import InvalidField
from shared.jobspec import JobDocument
from tests.fields import fields
from tests.soak import times
from tests.unit.controlplane.dialects.elastictranscoder.jobs import sending
from tests.wire_fields import table

JOB: dict[str, Any] = {
    "PipelineId": "1111111111111-abcde1",
    "Inputs": [{"Key": "in.mp4"}],
    "Outputs": [{"Key": "out.mp4", "PresetId": "1351620000001-000010"}],
}


def understood(sent: dict[str, Any]) -> JobDocument:
    parsed = CreateJob.model_validate_json(json.dumps(sent))
    return JobDocument.model_validate(document(parsed), strict=False)


@settings(max_examples=times(300, 20_000))
@given(sending.job())
def test_what_is_asked_for_is_answered_but_for_the_documented_forms(sent: dict[str, Any]) -> None:
    native = understood(sent)
    for kept in (native.model_dump(), json.loads(native.model_dump_json())):
        assert json.loads(orjson.dumps(translation.to_wire(CreateJob, kept))) == sending.normal(sent)


@settings(max_examples=times(100, 5_000))
@given(sending.job())
def test_what_is_answered_may_be_asked_for_again(sent: dict[str, Any]) -> None:
    native = understood(sent)
    again = understood(translation.to_wire(CreateJob, native.model_dump(mode="json")))
    assert again == native


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Input": {"Key": "a"}}, "[Input and Inputs are mutually exclusive.]"),
        ({"Output": JOB["Outputs"][0]}, "[Output and Outputs are mutually exclusive.]"),
        ({"Inputs": None}, "[Input and Inputs are not allowed to both be null.]"),
        ({"Outputs": None}, "[Output and Outputs are not allowed to both be null.]"),
    ],
)
def test_what_is_said_once_is_said_in_one_way(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidField) as refused:
        understood({**JOB, **changes})
    assert refused.value.detail == told


@pytest.mark.parametrize("thumbnails", [{}, {"ThumbnailPattern": ""}, {"ThumbnailPattern": None}])
def test_no_thumbnails_are_encrypted_where_there_are_none(thumbnails: dict[str, Any]) -> None:
    output = {**JOB["Outputs"][0], **thumbnails, "ThumbnailEncryption": {"Mode": "aes-gcm"}}
    assert understood({**JOB, "Outputs": [output]}).outputs[0].thumbnails is None


def test_every_member_has_a_place_in_the_native_document_or_is_known_to_have_none() -> None:
    rows, known = table(), fields()
    assert [row.wire for row in rows if row.native is None] == ["Input", "Inputs[].DetectedProperties", "Output"]
    assert [row.native for row in rows if row.native is not None and row.native not in known] == []
