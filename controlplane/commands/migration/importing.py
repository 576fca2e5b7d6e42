"""What was saved is made here, once, and compared with what is here then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from controlplane.commands.client import Api, Refused
from controlplane.commands.migration import saved as saving
from controlplane.commands.migration.comparing import Difference, differences
from controlplane.commands.migration.saved import Saved, Wire
from controlplane.commands.migration.trying import fault

_BASE: Final = "/2012-09-25"


class Outcome(StrEnum):
    TO_MAKE = "to make"
    MADE = "made"
    THERE = "there"
    REFUSED = "refused"


@dataclass(frozen=True)
class Item:
    """One bucket, preset or pipeline. A bucket has no ids; `id` is None for what is not here."""

    kind: str
    name: str
    outcome: Outcome
    old_id: str | None = None
    id: str | None = None
    differences: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()
    reason: str | None = None


class Migration:
    """Into one tenant. `known` tells the new ids of what was made by earlier runs, by the old ones."""

    def __init__(self, api: Api, known: Mapping[str, str], *, to_apply: bool) -> None:
        self._api = api
        self._known = known
        self._to_apply = to_apply

    async def run(self, saved: Saved) -> list[Item]:
        """Buckets first, since pipelines name them."""
        wanted = {old_id: saving.wanted_pipeline(pipeline) for old_id, pipeline in saved.pipelines.items()}
        items = [
            item async for item in self._buckets({name for one in wanted.values() for name in saving.buckets(one)})
        ]
        presets = {one["Id"]: one async for one in self._all("presets", "Presets")}
        items += [await self._preset(old_id, preset, presets) for old_id, preset in saved.presets.items()]
        pipelines = {one["Id"]: one async for one in self._all("pipelines", "Pipelines")}
        items += [
            await self._pipeline(old_id, wanted[old_id], pipeline, pipelines)
            for old_id, pipeline in saved.pipelines.items()
        ]
        return items

    async def _buckets(self, names: set[str]) -> AsyncIterator[Item]:
        there = {bucket["name"] async for bucket in self._api.pages("/v1/buckets")}
        for name in sorted(names):
            if name in there:
                yield Item("bucket", name, Outcome.THERE)
            elif not self._to_apply:
                yield Item("bucket", name, Outcome.TO_MAKE)
            else:
                try:
                    await self._api.call("POST", "/v1/buckets", {"name": name})
                    yield Item("bucket", name, Outcome.MADE)
                except Refused as refused:
                    yield Item("bucket", name, Outcome.REFUSED, reason=refused.message)

    async def _preset(self, old_id: str, preset: Wire, there: dict[str, Wire]) -> Item:
        wanted = saving.wanted_preset(preset)
        if saving.is_system(preset):
            return _system(old_id, wanted, there)
        return await self._made("preset", old_id, wanted, there)

    async def _pipeline(self, old_id: str, wanted: Wire, pipeline: Wire, there: dict[str, Wire]) -> Item:
        item = await self._made("pipeline", old_id, wanted, there)
        if item.outcome is Outcome.MADE and pipeline.get("Status") == "Paused":
            await self._api.call("POST", f"{_BASE}/pipelines/{item.id}/status", {"Status": "Paused"})
        return item

    async def _made(self, kind: str, old_id: str, wanted: Wire, there: dict[str, Wire]) -> Item:
        """What was made by an earlier run, or says the same, is not made again; what is made now is `there` from then on."""
        name = str(wanted["Name"])
        found = self._counterpart(old_id, wanted, there)
        if found is not None:
            return Item(kind, name, Outcome.THERE, old_id, found["Id"], tuple(differences(wanted, found)))
        if not self._to_apply:
            reason = fault(kind, wanted)
            return Item(kind, name, Outcome.REFUSED if reason else Outcome.TO_MAKE, old_id, reason=reason)
        try:
            answer = await self._api.call("POST", f"{_BASE}/{kind}s", wanted)
        except Refused as refused:
            return Item(kind, name, Outcome.REFUSED, old_id, reason=refused.message)
        made = answer[kind.capitalize()]
        there[made["Id"]] = made
        return Item(
            kind, name, Outcome.MADE, old_id, made["Id"], tuple(differences(wanted, made)), tuple(_warnings(answer))
        )

    def _counterpart(self, old_id: str, wanted: Wire, there: Mapping[str, Wire]) -> Wire | None:
        made_before = there.get(self._known.get(old_id, ""))
        return made_before or next((one for one in there.values() if not differences(wanted, one)), None)

    async def _all(self, path: str, name: str) -> AsyncIterator[Any]:
        token = None
        while True:
            page = await self._api.call("GET", f"{_BASE}/{path}", PageToken=token)
            for item in page[name]:
                yield item
            token = page.get("NextPageToken")
            if token is None:
                return


def _warnings(answer: Wire) -> Iterator[str]:
    """Of a pipeline several, of a preset one, if any."""
    yield from (warning["Message"] for warning in answer.get("Warnings") or ())
    if answer.get("Warning"):
        yield answer["Warning"]


def _system(preset_id: str, wanted: Wire, there: Mapping[str, Wire]) -> Item:
    """Under its own id, or under none."""
    name = str(wanted["Name"])
    here = there.get(preset_id)
    if here is None:
        reason = "There is no system preset of this id; jobs that name it are refused."
        return Item("preset", name, Outcome.REFUSED, preset_id, reason=reason)
    return Item("preset", name, Outcome.THERE, preset_id, preset_id, tuple(differences(wanted, here)))
