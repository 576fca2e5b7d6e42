"""What inputs are together, before any node has seen them and after."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.domain.parts import lengths, same_stretch
from controlplane.domain.planning import plan
from controlplane.domain.quota import planned_ms
from controlplane.domain.sources import sources
from shared.jobspec import Clip, JobDocument
from shared.jobspec.clips import seconds
from shared.protocol import DetectedProperties, Span
from tests.builders import mp4_settings


def a_document(inputs: list[dict[str, Any]], *clips: dict[str, Any] | None) -> JobDocument:
    outputs = [{"key": f"{n}.mp4", "settings": mp4_settings(), "clip": clip} for n, clip in enumerate(clips or (None,))]
    fields = {"pipeline_id": "1763750000000-abcdef", "inputs": inputs, "outputs": outputs}
    return JobDocument.model_validate(fields, strict=False)


def found(*durations: float | None) -> list[DetectedProperties]:
    return [DetectedProperties(duration=duration, size=1) for duration in durations]


@pytest.mark.parametrize(
    ("time", "value"),
    [(3.5, 3.5), ("3.5", 3.5), ("00:00:03.500", 3.5), ("1:02:03", 3723), ("59:59.999", 3599.999), ("99999.9", 99999.9)],
)
def test_a_time_is_a_number_or_a_text(time: float | str, value: float) -> None:
    assert seconds(time) == value
    assert Clip(start=time).start == time  # answered as it was sent


def test_an_output_lasts_as_long_as_the_stretches_of_all_inputs() -> None:
    document = a_document(
        [{"key": "a"}, {"key": "b", "clip": {"start": "00:00:05", "duration": 60}}, {"key": "a", "clip": {"start": 8}}],
        None,
        {"duration": 4},
        {"start": "20"},
        {"start": 99},
    )
    assert lengths(document, found(10, 20, 10)) == [27, 4, 7, 0]
    assert planned_ms(lengths(document, found(10, 20, 10))) == 38_000


def test_an_input_of_unknown_length_makes_all_of_it_unknown() -> None:
    document = a_document([{"key": "a"}, {"key": "b"}])
    assert planned_ms(lengths(document, found(10, None))) is None
    assert planned_ms(lengths(document, found(10))) is None


def test_an_object_is_fetched_once_however_often_it_is_shown() -> None:
    document = a_document(
        [{"key": "a"}, {"key": "b"}, {"key": "a", "clip": {"start": 1}}, {"key": "a", "sha256": "0" * 64}]
    )
    assert [source.key for source in sources(document)] == ["a", "b", "a"]
    task = plan(document, {})
    assert [part.source for part in task.parts] == [0, 1, 0, 2]
    assert [part.clip for part in task.parts] == [None, None, Span(start=1), None]


def test_a_stretch_is_the_same_however_it_is_written() -> None:
    assert same_stretch(Clip(start="00:00:01.5", duration=2), Clip(start=1.5, duration="2"))
    assert same_stretch(None, Clip())
    assert not same_stretch(None, Clip(duration=1))
