"""Pipelines and presets as Elastic Transcoder told them: read from what the AWS CLI printed, or from Terraform's state."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from controlplane.commands.migration import terraform

Wire = Mapping[str, Any]
"""A structure of the API, by the names on the wire."""

_TOLD_BY_THE_SERVICE: Final = frozenset({"Id", "Arn", "Status", "Type"})
_STANDARD: Final = frozenset({None, "Standard"})


class Unreadable(ValueError):
    """A file that has neither pipelines nor presets, or tells one of them in two ways."""


@dataclass
class Saved:
    """By the ids that they had."""

    pipelines: dict[str, Wire] = field(default_factory=dict)
    presets: dict[str, Wire] = field(default_factory=dict)


def read(files: Iterable[Path]) -> Saved:
    """All that is in the files together. Raises Unreadable."""
    saved = Saved()
    for file in files:
        pipelines, presets = _told(file)
        for found, known in ((pipelines, saved.pipelines), (presets, saved.presets)):
            for one in found:
                _add(known, _without_nothing(one), file)
    return saved


def wanted_pipeline(pipeline: Wire) -> dict[str, Any]:
    """What CreatePipeline is asked for to have it again.

    The service answered with the bucket in both of the ways in which it can be said, and takes one: the short one where that says
    all there is.
    """
    wanted = _asked(pipeline)
    configs = [wanted.get(name, {}) for name in ("ContentConfig", "ThumbnailConfig")]
    if not configs[0].get("Bucket") or (
        "OutputBucket" in wanted and all(map(_is_plain(wanted["OutputBucket"]), configs))
    ):
        return {name: value for name, value in wanted.items() if name not in ("ContentConfig", "ThumbnailConfig")}
    return {name: value for name, value in wanted.items() if name != "OutputBucket"}


def wanted_preset(preset: Wire) -> dict[str, Any]:
    """What CreatePreset is asked for to have it again."""
    return _asked(preset)


def buckets(pipeline: Wire) -> set[str]:
    """Of what CreatePipeline is asked for."""
    configs = (pipeline.get(name, {}) for name in ("ContentConfig", "ThumbnailConfig"))
    named = (pipeline.get("InputBucket"), pipeline.get("OutputBucket"), *(config.get("Bucket") for config in configs))
    return {bucket for bucket in named if bucket}


def is_system(preset: Wire) -> bool:
    return preset.get("Type") == "System"


def _asked(told: Wire) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in _TOLD_BY_THE_SERVICE}


def _is_plain(bucket: str) -> Callable[[Wire], bool]:
    """Whether a config says no more than the bucket."""

    def plain(config: Wire) -> bool:
        named = config.get("Bucket", bucket) == bucket
        return named and not config.get("Permissions") and config.get("StorageClass") in _STANDARD

    return plain


def _told(file: Path) -> tuple[Sequence[Wire], Sequence[Wire]]:
    try:
        document = json.loads(file.read_text())
    except (ValueError, OSError) as error:
        raise Unreadable(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise Unreadable(f"{file} is not a JSON object.")
    if "terraform_version" in document:
        return terraform.pipelines(document), terraform.presets(document)
    pipelines = [*document.get("Pipelines", []), *_one(document, "Pipeline")]
    presets = [*document.get("Presets", []), *_one(document, "Preset")]
    if not any(name in document for name in ("Pipelines", "Pipeline", "Presets", "Preset")):
        raise Unreadable(f"{file} has neither pipelines nor presets, as the AWS CLI or Terraform write them.")
    return pipelines, presets


def _one(document: Wire, name: str) -> list[Wire]:
    return [document[name]] if name in document else []


def _add(known: dict[str, Wire], found: Wire, file: Path) -> None:
    old_id = str(found.get("Id", ""))
    if not old_id or not found.get("Name"):
        raise Unreadable(f"{file} has something without Id or Name.")
    if known.setdefault(old_id, found) != found:
        raise Unreadable(f"{file} tells {old_id} otherwise than a file before it: name the newer one only.")


def _without_nothing(value: Any) -> Any:
    """Without members that are null: those that were not given."""
    if isinstance(value, Mapping):
        return {name: _without_nothing(inner) for name, inner in value.items() if inner is not None}
    return [_without_nothing(inner) for inner in value] if isinstance(value, list) else value
