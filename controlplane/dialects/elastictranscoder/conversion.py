"""How values of the wire become native ones and native ones those of the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_pascal


class Structure(BaseModel):
    """One of the wire's: named there as here, but in PascalCase. What is null is not there; what nobody knows is refused."""

    model_config = ConfigDict(alias_generator=to_pascal, frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True)
class Native:
    """Where a member is in the native structure, and how its value is read from the wire and written to it.

    What is read as None is left out of the native document, what is written as None out of the answer.
    """

    path: str | None = None
    """Under the name that it has here when None; dots lead into what is nested."""
    read: Callable[[Any], Any] | None = None
    write: Callable[[Any], Any] | None = None
    is_kept: bool = True
    within: tuple[str | int, ...] = ()
    """Where below the member that native structure is, when the wire puts something around it."""

    def at(self, path: str) -> Self:
        return replace(self, path=path)


def _named(native_of: Mapping[str, Any]) -> Native:
    """Values that have other names."""
    wire_of = {native: wire for wire, native in native_of.items()}
    return Native(read=native_of.__getitem__, write=wire_of.__getitem__)


def _exact(seconds: float) -> str:
    """As sssss.SSS: "62.500"."""
    return f"{seconds:.3f}"


def _time(time: float | str) -> str:
    return time if isinstance(time, str) else _exact(time)


def _unless_zero(time: float | str) -> str | None:
    """A native document has a number where nothing was sent."""
    return None if time == 0 else _time(time)


def _short(number: float) -> str:
    """ "6" or "6.25"."""
    return f"{number:.5f}".rstrip("0").rstrip(".")


def _pixels(length: str) -> int | str:
    return length if length == "auto" else int(length)


def _only_clip(composition: Any) -> Any:
    """A list of one clip, or of none."""
    return composition[0]["time_span"] if composition else None


def _in_list(clip: Any) -> Any:
    return [{"time_span": clip}]


FILLED: Final = Native(read=lambda text: text or None, write=lambda text: text or None)
"""An empty text says as much as none."""
TIME: Final = Native(write=_time)
START: Final = Native("start", write=_unless_zero)
OFFSET: Final = Native("offset", write=_unless_zero)
SECONDS: Final = Native(read=float, write=_short)
PIXELS: Final = Native(read=_pixels, write=str)
CLIP: Final = Native("clip", read=_only_clip, write=_in_list, within=(0, "time_span"))
INTERLACED: Final = _named({"auto": "auto", "true": True, "false": False})
DEGREES: Final = _named({"auto": "auto", "0": 0, "90": 90, "180": 180, "270": 270})
CAPTION_MERGING: Final = _named(
    {"MergeOverride": "merge_override", "MergeRetain": "merge_retain", "Override": "override"}
)
ALBUM_MERGING: Final = _named({"Replace": "replace", "Prepend": "prepend", "Append": "append", "Fallback": "fallback"})
NOT_KEPT: Final = Native(is_kept=False)
