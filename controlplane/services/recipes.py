"""What jobs make, found to fit together before: tenants send film after film through the same few recipes."""

from __future__ import annotations

from typing import Final, NamedTuple

from controlplane.domain import planning
from controlplane.domain.planning.recipe import Recipe
from controlplane.domain.recurring import Recurring
from controlplane.services.presets import Presets, to_keep
from shared.ids import TenantId
from shared.jobspec import JobDocument, Output, Playlist
from shared.presets import SYSTEM_PRESETS, current

MOST_KNOWN: Final = 256
LARGEST_KNOWN: Final = 64 * 1024
"""Bytes of JSON."""


class Found(NamedTuple):
    """A recipe, and what a job of it must keep of its presets."""

    recipe: Recipe
    presets: str


class Recipes:
    def __init__(self, presets: Presets) -> None:
        self._presets = presets
        self._known: Recurring[_Key, Recipe] = Recurring(MOST_KNOWN)
        self._seen: dict[tuple[int, int, bool], tuple[_Key, Recipe]] = {}
        """Those that are known, by the very objects: documents whose outputs were read before have the same ones."""

    async def of(self, tenant_id: TenantId, document: JobDocument) -> Found:
        """Raises InvalidField, with a pointer into the document."""
        key = (document.outputs, document.playlists, len(document.inputs) > 1)
        known = self._recipe(key)
        if known is not None:
            known.check_keys(document.output_key_prefix)
            return Found(known, _NONE_KEPT)
        presets = await self._presets.settings_for(tenant_id, document)
        recipe = planning.check(document, presets)
        is_lasting = all(current(preset_id) in SYSTEM_PRESETS for preset_id in presets)  # tenants may delete their own
        if is_lasting and len(recipe.texts["outputs"]) <= LARGEST_KNOWN:
            self._known.offer(key, recipe)
        return Found(recipe, to_keep(presets))

    def _recipe(self, key: _Key) -> Recipe | None:
        outputs, playlists, has_several = key
        place = (id(outputs), id(playlists), has_several)
        seen = self._seen.get(place)
        if seen is not None:
            return seen[1]
        known = self._known.get(key)
        if known is not None:
            if len(self._seen) >= MOST_KNOWN:
                self._seen.clear()
            self._seen[place] = (key, known)  # holds what is at these places, so that nothing else ever is
        return known


_Key = tuple[tuple[Output, ...], tuple[Playlist, ...], bool]
_NONE_KEPT: Final = to_keep({})
