"""Whether a request is nonsense: judged by the vendor's model and guide alone, with no line of the service.

botocore's validator knows what clients check (kinds, members that are needed or unknown, lower bounds). Patterns, enumerations and
upper bounds stand in the model, and clients leave them to the service. What only the guide says is in `_RULES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.model import ServiceModel
from botocore.validate import ParamValidator

SAID_IN_METADATA = re.compile(r"[0-9A-Za-z _.:/=+\-%@]*", re.ASCII)


class Oracle:
    def __init__(self, model: Mapping[str, Any]) -> None:
        self._model = model
        self._operations = ServiceModel(model)
        self._validator = ParamValidator()

    def faults(self, operation: str, asked: dict[str, Any]) -> list[str]:
        """None: the vendor's documents allow it."""
        shape = self._operations.operation_model(operation).input_shape
        report = self._validator.validate(asked, shape)
        if report.has_errors():
            return [str(report.generate_report())]
        found = [*self._bounds(shape.name, asked, "")]
        return found or [*_RULES.get(operation, _no_rules)(asked)]

    def _bounds(self, name: str, value: Any, place: str) -> Iterator[str]:
        """What is out of them, below a value of the right kind."""
        shape = self._model["shapes"][name]
        match shape["type"]:
            case "structure":
                for member, told in value.items():
                    yield from self._bounds(shape["members"][member]["shape"], told, f"{place}.{member}")
            case "list":
                if len(value) > shape.get("max", len(value)):
                    yield f"{place}: too many"
                for item in value:
                    yield from self._bounds(shape["member"]["shape"], item, f"{place}[]")
            case "map":
                for key, item in value.items():
                    yield from self._bounds(shape["key"]["shape"], key, f"{place} key")
                    yield from self._bounds(shape["value"]["shape"], item, f"{place}.{key}")
            case "string":
                if not shape.get("min", 0) <= len(value) <= shape.get("max", len(value)):
                    yield f"{place}: of another length"
                if "enum" in shape and value not in shape["enum"]:
                    yield f"{place}: no such value"
                if "pattern" in shape and not re.fullmatch(shape["pattern"], value, re.ASCII | re.DOTALL):
                    yield f"{place}: of another form"


def _no_rules(_: dict[str, Any]) -> Iterator[str]:
    yield from ()


def _of_jobs(job: dict[str, Any]) -> Iterator[str]:
    if bool(job.get("Input")) == bool(job.get("Inputs")):
        yield "either an input or inputs"
    if bool(job.get("Output")) == bool(job.get("Outputs")):
        yield "either an output or outputs"
    inputs = job.get("Inputs") or [job.get("Input", {})]
    outputs = job.get("Outputs") or [job.get("Output", {})]
    if not all(one.get("Key") for one in inputs):
        yield "an input without a key"
    if not all(one.get("Key") and one.get("PresetId") for one in outputs):
        yield "an output without a key or preset"
    for output in outputs:
        yield from _of_outputs(output)
    for playlist in job.get("Playlists", []):
        yield from _of_playlists(playlist, {one.get("Key"): one for one in outputs})
    yield from _of_metadata(job.get("UserMetadata", {}))


def _of_outputs(output: dict[str, Any]) -> Iterator[str]:
    if "SegmentDuration" in output and not 1 <= float(output["SegmentDuration"]) <= 60:
        yield "segments of another length than 1 to 60 seconds"
    if len(output.get("Watermarks", [])) > 4:
        yield "more than four watermarks"
    if len(output.get("AlbumArt", {}).get("Artwork", [])) > 20:
        yield "more than twenty artworks"


def _of_playlists(playlist: dict[str, Any], outputs: Mapping[str | None, dict[str, Any]]) -> Iterator[str]:
    if not playlist.get("Name") or not playlist.get("Format"):
        yield "a playlist without a name or format"
    keys = playlist.get("OutputKeys", [])
    if not keys or not set(keys) <= outputs.keys():
        yield "a playlist of what is no output"
    elif len({float(outputs[key].get("SegmentDuration", 0)) for key in keys}) > 1:
        yield "a playlist of segments of several lengths"


def _of_metadata(pairs: Mapping[str, str]) -> Iterator[str]:
    if len(pairs) > 10:
        yield "more than ten pairs"
    for key, value in pairs.items():
        if not 1 <= len(key) <= 128 or len(value) > 256:
            yield "metadata of another length"
        if not SAID_IN_METADATA.fullmatch(key + value):
            yield "metadata of other letters"


def _of_pipelines(pipeline: dict[str, Any]) -> Iterator[str]:
    content, pictures = (pipeline.get(name) for name in ("ContentConfig", "ThumbnailConfig"))
    if ("OutputBucket" in pipeline) == bool(content):
        yield "either an output bucket or a configuration of contents"
    if content and not content.get("Bucket"):
        yield "contents without a bucket"
    if content and not (pictures and pictures.get("Bucket")):
        yield "contents in a bucket and thumbnails in none"


def _of_presets(preset: dict[str, Any]) -> Iterator[str]:
    if not preset.get("Video") and not preset.get("Audio"):
        yield "neither pictures nor sound"


_RULES: Mapping[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "CreateJob": _of_jobs,
    "CreatePipeline": _of_pipelines,
    "CreatePreset": _of_presets,
}
