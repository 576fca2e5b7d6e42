"""However often outputs were read before, a CreateJob is read as its structures read it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from controlplane.dialects.elastictranscoder import constraints
from controlplane.dialects.elastictranscoder.jobs import reading
from controlplane.dialects.elastictranscoder.jobs.documents import document
from controlplane.dialects.elastictranscoder.jobs.structures import CreateJob
from shared.errors import InvalidField
from shared.jobspec import JobDocument
from tests.soak import times
from tests.unit.controlplane.dialects.elastictranscoder.jobs import sending

JOB: dict[str, Any] = {
    "PipelineId": "1111111111111-abcde1",
    "Inputs": [{"Key": "in.mp4"}],
    "Outputs": [{"Key": "out.mp4", "PresetId": "1351620000001-000010"}],
}


@settings(max_examples=times(100, 5_000))
@given(sending.job())
def test_the_first_time_and_every_other_time_alike(sent: dict[str, Any]) -> None:
    body = orjson.dumps(sent)
    fields = document(CreateJob.model_validate_json(body))
    expected = JobDocument.model_validate(fields, strict=False)
    assert reading.read(body) == reading.read(body) == expected
    assert reading.read(body).model_fields_set == expected.model_fields_set


@pytest.mark.parametrize("sent", [b"", b"[]", b"null", b"{", b'{"Outputs": NaN}', b'{"Outputs": "\\ud800"}'])
def test_what_is_no_request_is_refused(sent: bytes) -> None:
    with pytest.raises(ValidationError):
        reading.read(sent)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Output": {"Key": "o", "PresetId": "1351620000001-000010"}}, "[Output and Outputs are mutually exclusive.]"),
        ({"Inputs": None}, "[Input and Inputs are not allowed to both be null.]"),
        (
            {"OutputKeyPrefix": "a//b"},
            "1 validation error detected: Value 'a//b' at 'outputKeyPrefix' failed to satisfy constraint: "
            "A key has no empty, '.' or '..' segment, and neither starts nor ends with '/'.",
        ),
    ],
)
def test_what_is_wrong_beside_known_outputs_is_refused(changes: dict[str, Any], told: str) -> None:
    reading.read(orjson.dumps(JOB))
    with pytest.raises(InvalidField) as refused:
        reading.read(orjson.dumps(JOB | changes))
    assert refused.value.detail == told


def test_outputs_that_are_not_there_are_no_known_ones() -> None:
    for key in ("a.mp4", "b.mp4"):
        sent = JOB | {"Outputs": None, "Output": {"Key": key, "PresetId": "1351620000001-000010"}}
        assert reading.read(orjson.dumps(sent)).outputs[0].key == key


def test_what_was_made_before_is_remembered() -> None:
    first, second, third = (reading.read(orjson.dumps(JOB | {"OutputKeyPrefix": prefix})) for prefix in "abc")
    assert second.outputs is third.outputs
    assert first.outputs == third.outputs


OUTPUT = {"Key": "secret", "PresetId": "1351620000001-200010", "SegmentDuration": "6"}
LIST = {"Name": "list", "Format": "HLSv3", "OutputKeys": ["secret"]}


@pytest.mark.parametrize(
    "secret",
    [
        {"Outputs": [{**OUTPUT, "SegmentDuration": None, "Encryption": {"Mode": "aes-gcm"}}]},
        {
            "Outputs": [OUTPUT],
            "Playlists": [
                {**LIST, "HlsContentProtection": {"Method": "aes-128", "LicenseAcquisitionUrl": "https://k.example"}}
            ],
        },
    ],
)
def test_what_holds_keys_is_not_remembered(secret: dict[str, Any]) -> None:
    first, second, third = (reading.read(orjson.dumps(JOB | secret)) for _ in range(3))
    assert first == second == third
    assert second.outputs is not third.outputs


@pytest.mark.parametrize("playlists", [0, False, "", {}, [None], "[]"])
def test_playlists_of_another_kind_are_none_of_those_that_are_known(playlists: Any) -> None:
    for _ in range(3):
        reading.read(orjson.dumps(JOB))
    with pytest.raises(ValidationError):
        reading.read(orjson.dumps(JOB | {"Playlists": playlists}))


@pytest.mark.parametrize("name", ["Inputs", "Outputs", "Playlists"])
@pytest.mark.parametrize("item", [{}, 0, {"Key": "in.mp4"}])
def test_of_lists_that_are_far_too_long_only_the_beginning_is_looked_at(name: str, item: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        reading.read(orjson.dumps(JOB | {name: [item] * 20_000}))
    assert refused.value.error_count() < 1000


def test_of_thousands_of_faults_none_is_told() -> None:
    with pytest.raises(ValidationError) as refused:
        reading.read(orjson.dumps(JOB | {f"Member{number}": 1 for number in range(5000)}))
    assert str(constraints.invalid(refused.value)) == "5000 validation errors detected: too many to tell"
