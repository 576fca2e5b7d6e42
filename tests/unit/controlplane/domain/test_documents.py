"""However often a document was read before, it is read as its model reads it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from controlplane.domain import documents
from controlplane.http.reading import invalid
from shared.jobspec import JobDocument
from tests.builders import hls_document

PIPELINE = "1763740000000-q7w2e1"
DOCUMENT = hls_document(PIPELINE)
FAULTS: list[dict[str, Any]] = [
    {"priority": "high"},
    {"no_such_field": 1},
    {"pipeline_id": None},
    {"inputs": []},
    {"playlists": [DOCUMENT["playlists"][0]] * 2},
    {"output_key_prefix": "a//b"},
    *({"outputs": value} for value in (None, 0, {}, "")),
    *({"playlists": value} for value in (None, 0, False, {}, "")),
]


@pytest.fixture(autouse=True)
def its_outputs_are_known() -> None:
    for _ in range(2):
        documents.read(orjson.dumps(DOCUMENT))


@pytest.mark.parametrize(
    "changes", [{}, {"priority": 3, "metadata": {"film": "2"}}, {"output_key_prefix": "films/2/"}, {"playlists": []}]
)
def test_known_outputs_are_those_that_were_read(changes: dict[str, Any]) -> None:
    sent = orjson.dumps(DOCUMENT | changes)
    assert documents.read(sent) == JobDocument.model_validate_json(sent)
    assert documents.read(sent).outputs is documents.read(sent).outputs
    assert documents.read(sent).playlists is documents.read(sent).playlists
    assert documents.read(sent).model_fields_set == JobDocument.model_validate_json(sent).model_fields_set


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_what_is_wrong_beside_known_outputs_is_refused_in_the_same_words(fault: dict[str, Any]) -> None:
    assert refusal(orjson.dumps(DOCUMENT | fault)) == expected(orjson.dumps(DOCUMENT | fault))


@pytest.mark.parametrize(
    "sent",
    [b"", b"[]", b"null", b'"outputs"', b"{", b'{"outputs": NaN}', b'{"outputs": []}', b'{"outputs": "\\ud800"}'],
)
def test_what_is_no_document_is_refused_in_the_same_words(sent: bytes) -> None:
    assert refusal(sent) == expected(sent)


def test_outputs_that_are_wrong_stay_wrong() -> None:
    sent = orjson.dumps(DOCUMENT | {"outputs": [{"key": "x.mp4"}]})
    assert refusal(sent) == refusal(sent) == expected(sent)


def test_as_many_are_known_as_there_is_room_for() -> None:
    for number in range(documents.MOST_KNOWN + 10):
        sent = orjson.dumps(DOCUMENT | {"outputs": [DOCUMENT["outputs"][0] | {"key": str(number)}], "playlists": []})
        assert [documents.read(sent).outputs[0].key for _ in range(3)] == [str(number)] * 3


@pytest.mark.parametrize("name", ["inputs", "outputs", "playlists"])
def test_of_a_list_no_more_is_looked_at_than_the_first_that_is_wrong(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        documents.read(orjson.dumps(DOCUMENT | {name: [{"no": "such"}] * 20_000}))
    assert refused.value.error_count() < 10


def test_of_thousands_of_faults_none_is_told() -> None:
    with pytest.raises(ValidationError) as refused:
        documents.read(orjson.dumps(DOCUMENT | {f"field{number}": 1 for number in range(5000)}))
    assert str(invalid(refused.value)) == "This document has 5000 faults: too many to tell the first."


def refusal(sent: bytes) -> Any:
    with pytest.raises(ValidationError) as refused:
        documents.read(sent)
    return refused.value.errors(include_url=False, include_input=False)


def expected(sent: bytes) -> Any:
    with pytest.raises(ValidationError) as refused:
        JobDocument.model_validate_json(sent)
    return refused.value.errors(include_url=False, include_input=False)
