"""Ids that Elastic Transcoder had given up and never refused: programs still name them. Each stands for a system preset."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.ids import PresetId

_RENUMBERED: Final = {
    "000060": "000061",
    "100010": "100020",
    "100030": "100020",
    "100100": "100080",
    "100140": "100141",
    "200070": "200071",
}
"""In the family of today, by suffix."""
_OF_THE_FIRST_FAMILY: Final = (
    "000001", "000010", "000020", "000030", "000040", "000050", "000060",
    "100010", "100020", "100030", "100040", "100050", "100060", "100070", "100080", "100090", "100100",
)  # fmt: skip

DEPRECATED_IDS: Final[Mapping[PresetId, PresetId]] = MappingProxyType(
    {PresetId(f"1351620000001-{old}"): PresetId(f"1351620000001-{new}") for old, new in _RENUMBERED.items()}
    | {
        PresetId(f"1351620000000-{suffix}"): PresetId(f"1351620000001-{_RENUMBERED.get(suffix, suffix)}")
        for suffix in _OF_THE_FIRST_FAMILY
    }
)


def current(preset_id: PresetId) -> PresetId:
    """The id under which a preset is found now."""
    return DEPRECATED_IDS.get(preset_id, preset_id)
