"""Presets.

structures   what clients send and are told, member by member
translation  from those to native settings and back
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import orjson

from controlplane.dialects.elastictranscoder.paging import Listing, page
from controlplane.dialects.elastictranscoder.presets.structures import CreatePreset, NamedPreset
from controlplane.dialects.elastictranscoder.presets.translation import settings, told
from controlplane.dialects.elastictranscoder.wire import SUCCESS, Answer, Operations, arn, identity
from controlplane.domain.permissions import Action, Resources
from controlplane.http.calls import Call
from controlplane.http.keys import PRESETS
from controlplane.services.naming import of_preset
from controlplane.services.presets import AnyPreset
from shared.ids import PresetId

operations: Final = Operations()

_ALSO_TOLD: Final = {"1351620000001-000001": {"AspectRatio": "16:9"}, "1351620000001-100200": {"BitRate": "400"}}
"""What the service's own presets say of their video, and what has no meaning beside the rest of it."""


async def named(call: Call[NamedPreset]) -> Resources:
    return of_preset(await _found(call))


@operations.add("CreatePreset", "POST", "presets", permission=Action.PRESETS_CREATE, takes=CreatePreset, status=201)
async def create_preset(call: Call[CreatePreset]) -> Answer:
    sent = call.body
    wanted, warning = settings(sent)
    terms = sent.model_dump_json(by_alias=True, exclude_none=True, include={"video", "audio", "thumbnails"})
    made = await call.request.app[PRESETS].create(
        call.principal.tenant,
        sent.name,
        sent.description or "",
        wanted,
        terms=terms,
        token=identity(call, "CreatePreset"),
    )
    return {"Preset": _view(call, made), **({"Warning": warning} if warning else {})}


@operations.add(
    "ReadPreset",
    "GET",
    "presets/{Id}",
    permission=Action.PRESETS_READ,
    takes=NamedPreset,
    find=named,
    noun="preset",
)
async def read_preset(call: Call[NamedPreset]) -> Answer:
    """One that was renumbered is told under the id that was asked for."""
    return {"Preset": _view(call, await _found(call)) | {"Id": call.body.id, "Arn": arn(call, "preset", call.body.id)}}


@operations.add("ListPresets", "GET", "presets", permission=Action.PRESETS_READ, takes=Listing)
async def list_presets(call: Call[Listing]) -> Answer:
    find = partial(call.request.app[PRESETS].page, call.principal.tenant, ascending=call.body.is_ascending)
    found, more = await page(call, find, of_preset)
    return {"Presets": [_view(call, one) for one in found], "NextPageToken": more}


@operations.add(
    "DeletePreset",
    "DELETE",
    "presets/{Id}",
    permission=Action.PRESETS_DELETE,
    takes=NamedPreset,
    status=202,
    find=named,
    noun="preset",
)
async def delete_preset(call: Call[NamedPreset]) -> Answer:
    await call.request.app[PRESETS].delete(call.principal.tenant, PresetId(call.body.id))
    return SUCCESS


async def _found(call: Call[NamedPreset]) -> AnyPreset:
    return await call.request.app[PRESETS].get(call.principal.tenant, PresetId(call.body.id))


def _view(call: Call[Any], found: AnyPreset) -> dict[str, Any]:
    """A preset that was made by such a client is told as it was sent."""
    kept = orjson.loads(found.terms)
    structures = kept or told(found.settings)
    for name, said in _ALSO_TOLD.items():
        if found.id == name:
            structures["Video"] |= said
    return {
        "Id": found.id,
        "Arn": arn(call, "preset", found.id),
        "Name": found.name,
        "Description": found.description,
        "Container": found.settings.container,
        **structures,
        "Type": "System" if found.is_system else "Custom",
    }
