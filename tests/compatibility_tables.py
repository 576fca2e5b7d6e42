"""The tables of `docs/elastictranscoder/compatibility.md`: `python -m tests.compatibility_tables`.

Rows are the members of the vendor's model; what they say comes from the dialect's own structures, whose descriptions tell where an
answer differs from what was sent, and from `DIFFERENT`; the tests are those that are marked with `answers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.presets import structures as presets
from controlplane.dialects.elastictranscoder.translation import members
from tests.compatibility import at, is_deprecated, marks, structures
from tests.fields import Shown
from tests.wire_fields import table

DOCUMENT: Final = Path(__file__).parent.parent / "docs" / "elastictranscoder" / "compatibility.md"
BEGIN: Final = "<!-- made by `python -m tests.compatibility_tables` -->"

DIFFERENT: Final[Mapping[str, str]] = {
    "CreatePipelineRequest.Role": "Kept and answered; it means nothing here: a pipeline may use the buckets of its tenant.",
    "CreatePipelineRequest.AwsKmsKeyArn": "Kept and answered; it means nothing here.",
    "CreatePipelineRequest.InputBucket": "Of a bucket that the control plane knows; or one is made, where the operator allows it.",
    "PipelineOutputConfig.StorageClass": "Kept and answered; it means nothing in buckets that are directories.",
    "PipelineOutputConfig.Permissions": "Kept and answered; it means nothing in buckets that are directories.",
    "Pipeline.Arn": "Of this service's region, which is a setting, and the tenant's number.",
    "TestRoleRequest.Role": "Its form is checked.",
    "Job.Arn": "As of pipelines.",
    "Preset.Arn": "As of pipelines.",
    "JobOutput.StatusDetail": "The published number, then a sentence of this service.",
    "Playlist.StatusDetail": "The published number, then a sentence of this service.",
    "CreatePipelineResponse.Warnings": "Of topics that reach nobody, not of other regions.",
    "UpdatePipelineResponse.Warnings": "Of topics that reach nobody, not of other regions.",
    "ReadPipelineResponse.Warnings": "Of topics that reach nobody, not of other regions.",
    "Warning.Code": "Of this service.",
    "Warning.Message": "Of this service.",
}
"""What structures of the dialect cannot say: of answers, and of what is told once for several operations."""

AS: Final[Mapping[str, str]] = {"JobOutput": "CreateJobOutput", "Playlist": "CreateJobPlaylist"}
"""Structures of answers that say again what was asked for."""


OF_PRESETS: Final[Mapping[type[Structure], str]] = {
    presets.VideoParameters: "settings.video.",
    presets.PresetWatermark: "settings.video.watermarks[].",
    presets.AudioParameters: "settings.audio.",
    presets.AudioCodecOptions: "settings.audio.",
    presets.Thumbnails: "settings.thumbnails.",
}
"""Where the members of these are natively."""


def with_tables(text: str) -> str:
    head, _, _ = text.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{_tables()}\n"


def _tables() -> str:
    shown = marks()
    return "\n\n".join(_table(structure, names, shown) for structure, names in structures().items())


def _table(structure: str, names: Sequence[str], shown: Mapping[str, Sequence[Shown]]) -> str:
    fields = [f"{structure}.{member}" for member in names]
    rows = [
        f"| `{member}` | {_here(structure, member)} | {_natively(field)} | {_tests(field, shown)} |"
        for member, field in zip(names, fields, strict=True)
    ]
    return "\n".join((f"### {structure}", "", "| field | here | natively | shown by |", "|---|---|---|---|", *rows))


def _here(structure: str, member: str) -> str:
    told = DIFFERENT.get(f"{structure}.{member}") or _description(structure, member) or "same"
    is_told = told.startswith("Deprecated") or not is_deprecated(f"{structure}.{member}")
    return told if is_told else f"Deprecated: {told}"


def _description(structure: str, member: str) -> str | None:
    model = _models().get(structure.removesuffix("Request")) or _models().get(AS.get(structure, ""))
    if model is None:
        return None
    return next((field.description for field in model.model_fields.values() if field.alias == member), None)


@cache
def _models() -> Mapping[str, type[BaseModel]]:
    """The dialect's own structures by their names."""
    return {model.__name__: model for model in _below(Structure)}


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for derived in model.__subclasses__():
        yield derived
        yield from _below(derived)


def _natively(field: str) -> str:
    """The path in the native job document."""
    path = _paths().get(field)
    return f"`{path}`" if path else ""


@cache
def _paths() -> Mapping[str, str]:
    of_jobs = {at(row.wire): row.native for row in table() if row.native is not None}
    return of_jobs | {
        f"{structure.__name__}.{member.wire}": f"{place}{'.'.join(member.path)}"
        for structure, place in OF_PRESETS.items()
        for member in members(structure).values()
    }


def _tests(field: str, shown: Mapping[str, Sequence[Shown]]) -> str:
    return "; ".join(dict.fromkeys(map(_link, shown.get(field, ())))) or "–"


def _link(shown: Shown) -> str:
    sentence = shown.test.removeprefix("test_").replace("_", " ")
    return f"[{sentence}](../../{shown.file})"


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text()))
