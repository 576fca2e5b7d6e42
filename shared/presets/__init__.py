"""Ready-made settings that every tenant may name by id."""

from shared.presets.catalogue import SYSTEM_PRESETS, SystemPreset

__all__ = ["SYSTEM_PRESETS", "SystemPreset"]
