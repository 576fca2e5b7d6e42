"""/v1/events: what happens to all jobs of a tenant."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Final

from aiohttp import web

from controlplane.api import views
from controlplane.api.jobs import QUIET_SECONDS, last_event_id
from controlplane.api.paging import page
from controlplane.api.requests import TenantEventsQuery
from controlplane.api.routing import Reply, Routes
from controlplane.api.streaming import EventStream, watcher, watching
from controlplane.domain.permissions import Action
from controlplane.http.calls import Call
from controlplane.http.keys import EVENTS
from controlplane.services import naming
from controlplane.store.records import TenantEvent

routes: Final = Routes("events")


@routes.add(
    "GET",
    "/v1/events",
    permission=Action.JOBS_READ,
    summary="What happens to all jobs: JSON, or as it happens, from now on, with `Accept: text/event-stream`",
    query=TenantEventsQuery,
    answer=views.Page[views.TenantEventView],
    is_stream=True,
)
async def tenant_events(call: Call[None]) -> Reply | web.StreamResponse:
    tenant_id, events = call.principal.tenant, call.request.app[EVENTS]
    if "text/event-stream" in call.request.headers.get("Accept", ""):
        with watching(call):
            return await _streamed(call)

    def find(after: str, size: int) -> Awaitable[list[TenantEvent]]:
        return events.after(tenant_id, int(after or call.query.after or 0), size)

    return Reply(await page(call, ["events"], find, lambda found: str(found.id), views.tenant_event, naming.of_event))


async def _streamed(call: Call[None]) -> web.StreamResponse:
    """Whoever may see no more of it, since a key was revoked or a user changed, is told no more."""
    stream = await EventStream.open(call.request)
    watch = partial(call.request.app[EVENTS].watch, call.principal.tenant)
    async for happened in watch(last_event_id(call), QUIET_SECONDS):
        caller = await watcher(call)
        if caller is None:
            break
        for event in happened:
            if caller.may(call.action, naming.of_event(event)):
                await stream.send(views.tenant_event(event), event=event.type, event_id=str(event.id))
        if not happened:
            await stream.comment("quiet")
    return stream.response
