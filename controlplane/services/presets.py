"""System presets, and those that tenants make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson
from pydantic import ValidationError

from controlplane.domain import planning
from controlplane.domain.planning.watermarks import without_slots
from controlplane.store.operations import resources
from controlplane.store.operations.tokens import Token
from controlplane.store.port import Store
from controlplane.store.records import Preset
from shared.clock import Clock
from shared.errors import Forbidden, InvalidField, NotFound
from shared.failures import Cause, Failure, FailureCode
from shared.ids import PresetId, TenantId, TranscoderIds
from shared.jobspec import JobDocument, Settings
from shared.presets import DEPRECATED_IDS, SYSTEM_PRESETS, current
from shared.protocol import TranscodeFile


@dataclass(frozen=True)
class AnyPreset:
    """`terms` is a JSON text: what its maker said of it in a vendor's dialect."""

    id: PresetId
    name: str
    description: str
    is_system: bool
    settings: Settings
    terms: str = "{}"


class Presets:
    def __init__(self, store: Store, clock: Clock, ids: TranscoderIds) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def create(
        self,
        tenant_id: TenantId,
        name: str,
        description: str,
        settings: Settings,
        *,
        terms: str = "{}",
        token: Token | None = None,
    ) -> AnyPreset:
        """`terms` is a JSON text that a dialect keeps with it; what the same token made before is answered again."""
        now = self._clock.now_ms()
        preset = Preset(
            id=PresetId(self._ids.next(now)),
            tenant_id=tenant_id,
            name=name,
            description=description,
            settings=settings.model_dump_json(),
            terms=terms,
            created_at=now,
        )
        return _own(await self._store.write(resources.add_preset(preset, token)))

    async def get(self, tenant_id: TenantId | None, preset_id: PresetId) -> AnyPreset:
        if (known := current(preset_id)) in SYSTEM_PRESETS:
            return _system(known)
        if tenant_id is None:
            raise NotFound("preset")
        return _own(await self._store.read(resources.preset(tenant_id, preset_id)))

    async def page(
        self, tenant_id: TenantId | None, after: str, size: int, *, ascending: bool = True
    ) -> list[AnyPreset]:
        """System presets first, then the tenant's own: ids of the former are older than any that is made.

        Descending, the tenant's own first and the newest of them at the head.
        """
        if ascending:
            found = [_system(preset_id) for preset_id in SYSTEM_PRESETS if preset_id > after][:size]
            return found + await self._own_page(tenant_id, after, size - len(found), ascending=True)
        own = await self._own_page(tenant_id, after, size, ascending=False)
        older = [_system(preset_id) for preset_id in reversed(list(SYSTEM_PRESETS)) if preset_id < after]
        return own + older[: size - len(own)]

    async def _own_page(self, tenant_id: TenantId | None, after: str, size: int, *, ascending: bool) -> list[AnyPreset]:
        if tenant_id is None or not size:
            return []
        found = await self._store.read(resources.presets(tenant_id, after, size, ascending=ascending))
        return [_own(preset) for preset in found]

    async def delete(self, tenant_id: TenantId, preset_id: PresetId) -> None:
        if current(preset_id) in SYSTEM_PRESETS:
            raise Forbidden("System presets cannot be deleted.")
        await self._store.write(resources.delete_preset(tenant_id, preset_id))

    async def settings_for(self, tenant_id: TenantId, document: JobDocument) -> dict[PresetId, Settings]:
        """Of every preset that a job names; with its watermark slots only where an output fills some.

        Raises InvalidField with a pointer to a name that is none.
        """
        found: dict[PresetId, Settings] = {}
        marked = {output.preset_id for output in document.outputs if output.watermarks}
        for index, output in enumerate(document.outputs):
            if output.preset_id is None or output.preset_id in found:
                continue
            preset_id = PresetId(output.preset_id)
            if preset_id in _WITH_SLOTS:
                found[preset_id] = (_WITH_SLOTS if preset_id in marked else _WITHOUT_SLOTS)[preset_id]
                continue
            try:
                own = (await self.get(tenant_id, preset_id)).settings
                found[preset_id] = own if preset_id in marked else without_slots(own)
            except NotFound as error:
                pointer = f"/outputs/{index}/preset_id"
                raise InvalidField(f"There is no preset {preset_id!r}.", pointer=pointer) from error
        return found


def to_keep(presets: Mapping[PresetId, Settings]) -> str:
    """What a job needs to keep of the presets that it names: system presets never change, a tenant may delete its own."""
    own = {
        preset_id: settings.model_dump(mode="json")
        for preset_id, settings in presets.items()
        if preset_id not in _WITH_SLOTS
    }
    return orjson.dumps(own).decode()


UNREADABLE: Final = (ValidationError, KeyError, InvalidField)
UNREADABLE_JOB: Final = Failure(
    cause=Cause.UNKNOWN,
    code=FailureCode.INVALID_JOB,
    message="This release cannot read the job any more; submit it again.",
)


def planned(document: JobDocument, presets: str) -> TranscodeFile:
    """What a node is told to do. Raises one of UNREADABLE when a release that made the job allowed what this one does not."""
    own = orjson.loads(presets)
    kept = {PresetId(name): Settings.model_validate(settings, strict=False) for name, settings in own.items()}
    return planning.plan(document, {**_WITH_SLOTS, **kept})


_WITH_SLOTS: Final = {
    **{preset_id: preset.settings for preset_id, preset in SYSTEM_PRESETS.items()},
    **{old: SYSTEM_PRESETS[new].settings for old, new in DEPRECATED_IDS.items()},
}
_WITHOUT_SLOTS: Final = {preset_id: without_slots(settings) for preset_id, settings in _WITH_SLOTS.items()}


def _system(preset_id: PresetId) -> AnyPreset:
    preset = SYSTEM_PRESETS[preset_id]
    return AnyPreset(preset_id, preset.name, preset.description, is_system=True, settings=preset.settings)


def _own(preset: Preset) -> AnyPreset:
    settings = Settings.model_validate_json(preset.settings)
    return AnyPreset(preset.id, preset.name, preset.description, is_system=False, settings=settings, terms=preset.terms)
