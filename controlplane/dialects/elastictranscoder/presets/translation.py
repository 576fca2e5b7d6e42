"""From a preset of the wire to native settings, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson
from pydantic import ValidationError

from controlplane.dialects.elastictranscoder import faults
from controlplane.dialects.elastictranscoder.constraints import refused
from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.faults import Place
from controlplane.dialects.elastictranscoder.presets.structures import (
    AudioCodecOptions,
    AudioParameters,
    CreatePreset,
    Thumbnails,
    VideoCodecOptions,
    VideoParameters,
)
from controlplane.dialects.elastictranscoder.translation import Fields, Member, members, to_native, to_wire
from shared.errors import TranscoderError
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
UNUSED_BIT_RATE: Final = "BitRate says nothing of a gif, whose size follows from its pictures: it is ignored."


def settings(sent: CreatePreset) -> tuple[Settings, str | None]:
    """What a preset asks for, and a warning when some of it means nothing. Raises InvalidField in the names of the wire."""
    _check_one_size(sent.thumbnails)
    native: Fields = {"container": sent.container, "video": None, "audio": None, "thumbnails": None}
    for section in ("video", "audio"):
        parameters = getattr(sent, section)
        if parameters is not None:
            native[section] = _flat(to_native(parameters))
    if sent.thumbnails is not None:
        native["thumbnails"] = to_native(sent.thumbnails)
    warnings = [warning for forget in (_forget_unused_shape, _forget_unused_rate) if (warning := forget(native))]
    try:
        return Settings.model_validate_json(orjson.dumps(native)), " ".join(warnings) or None
    except ValidationError as error:
        raise _in_wire_names(faults.first(error, _written), sent) from error


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


def _check_one_size(thumbnails: Thumbnails | None) -> None:
    """Natively they have bounds unless others are told, which goes unseen beside a resolution. Raises InvalidField."""
    if thumbnails is None or thumbnails.resolution is None:
        return
    for place, bound in (("maxWidth", thumbnails.max_width), ("maxHeight", thumbnails.max_height)):
        if bound is not None:
            raise refused(f"thumbnails.{place}", bound, "be null beside Resolution")


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


def _forget_unused_rate(native: Fields) -> str | None:
    """The service asked for one with every picture, and had one in its own preset of a gif."""
    if native["video"] is None or native["video"].get("codec") != "gif":
        return None
    return UNUSED_BIT_RATE if native["video"].pop("bit_rate", None) is not None else None


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


def _in_wire_names(error: TranscoderError, sent: CreatePreset) -> TranscoderError:
    """A refusal of native settings, about the members that were sent."""
    if error.pointer is None:
        return error
    place, _ = _member(error.pointer)
    return faults.told(error, place, sent, faults.renamed(error.detail, CreatePreset))


def _written(pointer: str) -> Callable[[Any], str]:
    """How a value of a native field is told on the wire: rates in thousands."""
    _, member = _member(pointer)
    return member.native.write if member is not None and member.native.write is not None else str


def _member(pointer: str) -> tuple[Place, Member | None]:
    """Where something of the settings is on the wire, by names of its own; and the member, where it is no part of one."""
    section, *rest = [int(part) if part.isdecimal() else part for part in pointer.split("/")[1:]]
    for structure, above in _PARTS.get(str(section), ()):
        for member in members(structure).values():
            if rest and member.path == (rest[0],):
                return (section, *above, member.name, *rest[1:]), member if len(rest) == 1 else None
    return (section, *rest), None


_PARTS: Final[Mapping[str, Sequence[tuple[type[Structure], Place]]]] = {
    **{section: ((whole, ()), (options, ("codec_options",))) for section, (whole, options) in _OPTIONS.items()},
    "thumbnails": ((Thumbnails, ()),),
}
"""By section: the structures that its fields are in, and in which member each of them is."""
