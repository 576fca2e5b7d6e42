"""Documents that commands make and read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain, repeat
from typing import IO, Any, Final

import click

LADDER: Final = (("1500k", "1351620000001-200020"), ("1000k", "1351620000001-200030"), ("600k", "1351620000001-200040"))
"""Renditions of the default job: HLS 1.5M, 1M and 600k."""
MP4: Final = "1351620000001-000010"


def ladder(pipeline_id: str, key: str, prefix: str) -> dict[str, Any]:
    """An HLS ladder of three renditions, an MP4 and thumbnails, all from one decode."""
    outputs: list[dict[str, Any]] = [
        {"key": f"hls/{name}", "preset_id": preset_id, "segment_duration": 6} for name, preset_id in LADDER
    ]
    thumbnails = {"pattern": "thumbnails/{count}", "interval": 10, "format": "jpg"}
    outputs.append({"key": "video.mp4", "preset_id": MP4, "thumbnails": thumbnails})
    playlist = {"name": "hls/index", "format": "HLSv3", "output_keys": [f"hls/{name}" for name, _ in LADDER]}
    return {
        "pipeline_id": pipeline_id,
        "inputs": [{"key": key}],
        "output_key_prefix": prefix,
        "outputs": outputs,
        "playlists": [playlist],
    }


def from_presets(pipeline_id: str, key: str, prefix: str, presets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One output per preset, named after the input and the preset."""
    stem = key.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    outputs = [
        {"key": f"{stem}-{preset['id'][-6:]}.{preset['settings']['container']}", "preset_id": preset["id"]}
        for preset in presets
    ]
    return {"pipeline_id": pipeline_id, "inputs": [{"key": key}], "output_key_prefix": prefix, "outputs": outputs}


def read(file: IO[str], hint: str) -> dict[str, Any]:
    """A document of somebody's own, given as the option or argument `hint`."""
    try:
        document = json.load(file)
    except ValueError as error:
        raise click.BadParameter(f"{file.name} is not JSON: {error}", param_hint=hint) from error
    if not isinstance(document, dict):
        raise click.BadParameter(f"{file.name} is not a JSON object.", param_hint=hint)
    return document


def note(text: str) -> tuple[str, str]:
    """An entry of a job's metadata, as it is given to --metadata."""
    key, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE.", param_hint="--metadata")
    return key, value


def inputs(keys: Sequence[str], told: object) -> list[dict[str, Any]]:
    """An input per key, with what a document told of the one in its place."""
    given = told if isinstance(told, list) else []
    return [
        {**(fields if isinstance(fields, dict) else {}), "key": key}
        for key, fields in zip(keys, chain(given, repeat({})), strict=False)
    ]
