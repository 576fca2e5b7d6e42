"""What has come of the parts of a job so far, as every API tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from controlplane.domain.lifecycle import output_status
from shared.protocol import OutputProgress, Progress
from shared.statuses import JobStatus

Outcome = Mapping[str, Any]
"""`status`, `status_detail` (`code`, `message`, `reason`, or None), `objects`; of outputs what they turned out to be, too."""

_OUTPUT_FACTS: Final = (
    "width", "height", "frame_rate", "duration", "size", "encoder", "applied_color_space_conversion",
)  # fmt: skip
_NO_FACTS: Final[dict[str, Any]] = dict.fromkeys(_OUTPUT_FACTS)


@dataclass(frozen=True)
class Outcomes:
    status_detail: Mapping[str, Any] | None
    """Of the whole job, where one reason covers it."""
    inputs: Sequence[Mapping[str, Any] | None]
    """What files were found to be."""
    outputs: Sequence[Outcome]
    playlists: Sequence[Outcome]


def outcomes(
    status: JobStatus, result: str | None, progress: Progress | None, *, inputs: int, outputs: int, playlists: int
) -> Outcomes:
    """One for each of so many inputs, outputs and playlists; `result` is a JSON text."""
    found = orjson.loads(result) if result else {}
    failure = _detail(found.get("failure"))
    detected = found.get("inputs") or []
    made = {outcome["index"]: outcome for outcome in found.get("outputs") or []}
    lists = {outcome["index"]: outcome for outcome in found.get("playlists") or []}
    unmade: dict[str, Any] = {"status": status, "status_detail": failure, "objects": []}
    unmade_outputs = _unmade_outputs({**_NO_FACTS, **unmade}, progress, outputs)
    return Outcomes(
        status_detail=failure,
        inputs=[detected[index] if index < len(detected) else None for index in range(inputs)],
        outputs=[_made(made.get(index), unmade_outputs[index], _OUTPUT_FACTS) for index in range(outputs)],
        playlists=[_made(lists.get(index), unmade, ()) for index in range(playlists)],
    )


def _unmade_outputs(unmade: dict[str, Any], progress: Progress | None, count: int) -> list[dict[str, Any]]:
    """Each as it is before its job has ended."""
    job = unmade["status"]
    if count == 1 or job is not JobStatus.PROGRESSING:
        return [unmade] * count
    told = {each.index: each for each in progress.outputs} if progress else {}
    return [_unmade_output(unmade, index, told.get(index)) for index in range(count)]


def _unmade_output(unmade: dict[str, Any], index: int, told: OutputProgress | None) -> dict[str, Any]:
    status = output_status(index, told.status if told else None)
    failure = told.failure.model_dump() if told and told.failure else None
    return {**unmade, "status": status, "status_detail": _detail(failure)}


def _made(outcome: dict[str, Any] | None, unmade: dict[str, Any], facts: tuple[str, ...]) -> dict[str, Any]:
    """What came of an output or a playlist; until the job has ended, and when it failed whole, what came of the job."""
    if outcome is None:
        return unmade
    return {
        **{fact: outcome.get(fact) for fact in facts},
        "status": outcome["status"],
        "status_detail": _detail(outcome["failure"]),
        "objects": [
            {
                "key": made["key"],
                "size": made["size"],
                "role": made["role"],
                "initialization_vector": made.get("initialization_vector"),
            }
            for made in outcome["objects"]
        ],
    }


def _detail(failure: dict[str, Any] | None) -> dict[str, Any] | None:
    if not failure:
        return None
    return {"code": failure["code"], "message": failure["message"], "reason": failure.get("reason")}
