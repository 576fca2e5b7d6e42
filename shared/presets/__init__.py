"""Ready-made settings that every tenant may name by id."""

from shared.presets.catalogue import SYSTEM_PRESETS, SystemPreset
from shared.presets.deprecated import DEPRECATED_IDS, current

__all__ = ["DEPRECATED_IDS", "SYSTEM_PRESETS", "SystemPreset", "current"]
