"""The state of Terraform's provider for AWS (version 4 of the format), as the API would have told it.

A block is a list of one; names are in snake_case, and what was not given is null, "" or missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_PIPELINE: Final = "aws_elastictranscoder_pipeline"
_PRESET: Final = "aws_elastictranscoder_preset"

_NOT_OF_THE_API: Final = frozenset({"region", "tags", "tags_all"})
_ODD: Final = {"fixed_gop": "FixedGOP"}
"""Names that are not simply put together from their words."""


def pipelines(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_pipeline(attributes) for attributes in _instances(state, _PIPELINE)]


def presets(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_preset(attributes) for attributes in _instances(state, _PRESET)]


def _instances(state: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    for resource in state.get("resources", []):
        if resource.get("type") == kind and resource.get("mode", "managed") == "managed":
            yield from (instance["attributes"] for instance in resource.get("instances", []))


def _pipeline(attributes: Mapping[str, Any]) -> dict[str, Any]:
    told = _scalars(attributes)
    for config in ("content_config", "thumbnail_config"):
        if block := _block(attributes, config):
            permissions = [_permission(each) for each in attributes.get(f"{config}_permissions") or []]
            told[_name(config)] = {**_scalars(block), "Permissions": permissions}
    if topics := _block(attributes, "notifications"):
        told["Notifications"] = {_name(name): topic or "" for name, topic in topics.items()}
    return told


def _permission(block: Mapping[str, Any]) -> dict[str, Any]:
    return {**_scalars(block), "Access": block.get("access") or []}


def _preset(attributes: Mapping[str, Any]) -> dict[str, Any]:
    told = _scalars(attributes)
    if audio := _block(attributes, "audio"):
        told["Audio"] = _scalars(audio)
        if options := _block(attributes, "audio_codec_options"):
            told["Audio"]["CodecOptions"] = _scalars(options)
    if video := _block(attributes, "video"):
        told["Video"] = _scalars(video)
        if codec_options := attributes.get("video_codec_options"):
            told["Video"]["CodecOptions"] = codec_options
        if watermarks := attributes.get("video_watermarks"):
            told["Video"]["Watermarks"] = [_scalars(each) for each in watermarks]
    if thumbnails := _block(attributes, "thumbnails"):
        told["Thumbnails"] = _scalars(thumbnails)
    return told


def _block(attributes: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    block: Mapping[str, Any] = (attributes.get(name) or [{}])[0] or {}
    return block


def _scalars(block: Mapping[str, Any]) -> dict[str, Any]:
    said = ((name, value) for name, value in block.items() if isinstance(value, str) and value)
    return {_name(name): value for name, value in said if name not in _NOT_OF_THE_API}


def _name(word: str) -> str:
    """`max_frame_rate` → MaxFrameRate."""
    return _ODD.get(word) or "".join(part.capitalize() for part in word.split("_"))
