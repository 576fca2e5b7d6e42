"""Field by field: what was saved, and what is here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Difference(NamedTuple):
    """One field, by its path on the wire: "Video.CodecOptions.Profile", "Permissions[0].Access"; None: there is none."""

    field: str
    saved: Any
    here: Any


def differences(saved: Mapping[str, Any], here: Mapping[str, Any]) -> list[Difference]:
    """Of all fields that were saved: what is here besides are defaults that now are told."""
    return list(_between(saved, here, ""))


def _between(saved: Any, here: Any, path: str) -> Iterator[Difference]:
    if isinstance(saved, Mapping) and (saved or here is None):
        there = here if isinstance(here, Mapping) else {}
        for name, value in saved.items():
            yield from _between(value, there.get(name), f"{path}.{name}" if path else name)
    elif isinstance(saved, list) and isinstance(here, list) and len(saved) == len(here):
        for index, (one, other) in enumerate(zip(saved, here, strict=True)):
            yield from _between(one, other, f"{path}[{index}]")
    elif not (saved == here or (_says_nothing(saved) and _says_nothing(here))):
        yield Difference(path, saved, here)


def _says_nothing(value: Any) -> bool:
    return value in (None, "", [], {})
