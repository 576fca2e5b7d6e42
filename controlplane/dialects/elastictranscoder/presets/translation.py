"""From a preset of the wire to native settings, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import ValidationError

from controlplane.dialects.elastictranscoder.constraints import spelled
from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.presets.structures import (
    AudioCodecOptions,
    AudioParameters,
    CreatePreset,
    Thumbnails,
    VideoCodecOptions,
    VideoParameters,
)
from controlplane.dialects.elastictranscoder.translation import Fields, members, to_native, to_wire
from controlplane.http.reading import invalid
from shared.errors import InvalidField, TranscoderError
from shared.jobspec import Settings

_OPTIONS: Final[Mapping[str, tuple[type[Structure], type[Structure]]]] = {
    "video": (VideoParameters, VideoCodecOptions),
    "audio": (AudioParameters, AudioCodecOptions),
}
"""By section: its members, and those that stand apart on the wire and among the others natively."""
_FRAMES: Final = frozenset({"max_bit_rate", "buffer_size", "interlaced_mode", "color_space_conversion_mode"})
_TOLD_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "h264": _FRAMES | {"profile", "level", "max_reference_frames"},
    "mpeg2": _FRAMES | {"chroma_subsampling"},
    "vp8": frozenset({"profile"}),
    "vp9": frozenset({"profile"}),
    "gif": frozenset({"loop_count"}),
    "aac": frozenset({"profile"}),
    "flac": frozenset({"bit_depth"}),
    "pcm": frozenset({"bit_depth", "bit_order", "signed"}),
}
"""By codec: the options that it has."""
_OF_A_GIF_UNTOLD: Final = ("KeyframesMaxDist", "FixedGOP")
_BOUNDS: Final = ("MaxWidth", "MaxHeight")

UNUSED_ASPECT_RATIO: Final = "AspectRatio says nothing beside MaxWidth and MaxHeight: it is ignored."


def settings(sent: CreatePreset) -> tuple[Settings, str | None]:
    """What a preset asks for, and a warning when some of it means nothing. Raises InvalidField in the names of the wire."""
    native: Fields = {"container": sent.container, "video": None, "audio": None, "thumbnails": None}
    for section in ("video", "audio"):
        parameters = getattr(sent, section)
        if parameters is not None:
            native[section] = _flat(to_native(parameters))
    if sent.thumbnails is not None:
        native["thumbnails"] = to_native(sent.thumbnails)
    warning = _forget_unused_shape(native)
    try:
        return Settings.model_validate_json(orjson.dumps(native)), warning
    except ValidationError as error:
        raise in_wire_names(invalid(error)) from error


def told(found: Settings) -> Fields:
    """The structures of a preset, as the service told its own."""
    native = found.model_dump(mode="json")
    answer: Fields = {}
    for section, (structure, options) in _OPTIONS.items():
        if (chosen := native[section]) is not None:
            answer[section.capitalize()] = _nested(to_wire(structure, chosen), options, chosen)
    if native["thumbnails"] is not None:
        answer["Thumbnails"] = to_wire(Thumbnails, native["thumbnails"]) | _bounds(native["thumbnails"])
    if "Video" in answer:
        answer["Video"] |= _bounds(native["video"])
    return answer


def in_wire_names(error: TranscoderError) -> TranscoderError:
    """A refusal of native settings, about the members that were sent."""
    if error.pointer is None:
        return error
    place = spelled(_place([int(part) if part.isdecimal() else part for part in error.pointer.split("/")[1:]]))
    return InvalidField(f"1 validation error detected: Value at '{place}' failed to satisfy constraint: {error.detail}")


def _flat(parameters: Fields) -> Fields:
    options: Fields = parameters.pop("codec_options", {})
    return parameters | options


def _forget_unused_shape(native: Fields) -> str | None:
    """A shape belongs to a `Resolution`. Beside the newer bounds the service took it, and did nothing with it."""
    warning = None
    for section in ("video", "thumbnails"):
        chosen = native[section]
        if chosen and "aspect_ratio" in chosen and "resolution" not in chosen and chosen.keys() & _NEWER:
            del chosen["aspect_ratio"]
            warning = UNUSED_ASPECT_RATIO
    return warning


_NEWER: Final = frozenset({"max_width", "max_height", "sizing_policy", "padding_policy", "display_aspect_ratio"})


def _nested(parameters: Fields, options: type[Structure], native: Mapping[str, Any]) -> Fields:
    codec = native["codec"]
    has = _TOLD_OPTIONS.get(codec, frozenset())
    wires = {member.wire for member in members(options).values() if member.name in has}
    chosen = {wire: value for wire, value in to_wire(options, native).items() if wire in wires}
    if codec == "gif":
        parameters = {wire: value for wire, value in parameters.items() if wire not in _OF_A_GIF_UNTOLD}
    if native.get("packing_mode") == "SingleTrack":
        del parameters["AudioPackingMode"]
    if options is VideoCodecOptions or chosen:
        parameters["CodecOptions"] = chosen
    if not native.get("watermarks"):
        parameters.pop("Watermarks", None)
    return parameters


def _bounds(native: Mapping[str, Any]) -> Fields:
    """What is not bounded is told to be so, unless the size is told in the older way."""
    if native["resolution"] is not None or native["aspect_ratio"] is not None:
        return {}
    return {
        wire: str(native[field] or "auto") for wire, field in zip(_BOUNDS, ("max_width", "max_height"), strict=True)
    }


def _place(native: list[str | int]) -> list[str | int]:
    """Where something of the settings is on the wire, by names of its own."""
    section, *rest = native
    if not rest or section not in _OPTIONS:
        return native
    for structure, above in zip(_OPTIONS[str(section)], ((), ("codec_options",)), strict=True):
        for member in members(structure).values():
            if member.path == (rest[0],):
                return [section, *above, member.name, *rest[1:]]
    return native
