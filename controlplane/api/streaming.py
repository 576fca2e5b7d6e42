"""Server-sent events (WHATWG HTML §9.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
from aiohttp import web
from multidict import CIMultiDict
from pydantic import BaseModel

from controlplane.auth.principal import Principal
from controlplane.http.calls import Call, authenticated
from controlplane.http.connections import held
from controlplane.http.keys import STREAMS
from controlplane.http.throttling import tell
from shared.errors import TranscoderError


@contextmanager
def watching(call: Call[None]) -> Iterator[None]:
    """While a caller waits for what happens. Raises Throttled where its account, or its address, waits for too much already."""
    with call.request.app[STREAMS].one(call.principal), held(call.request):
        yield


async def watcher(call: Call[None]) -> Principal | None:
    """Who opened a stream, as they are now: since then a key may be revoked, a user changed, a tenant suspended.

    None for those who may no longer see such a thing at all.
    """
    try:
        caller = await authenticated(call.request)
        caller.check_side(call.action)
    except TranscoderError:
        return None
    return caller if call.action in caller.actions else None


class EventStream:
    """An open answer to which events are written. Made by `open`."""

    def __init__(self, response: web.StreamResponse) -> None:
        self.response = response

    @classmethod
    async def open(cls, request: web.Request) -> EventStream:
        headers = CIMultiDict({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        tell(request, headers)
        response = web.StreamResponse(headers=headers)
        response.content_type = "text/event-stream"
        await response.prepare(request)
        return cls(response)

    async def send(self, data: BaseModel | Mapping[str, Any], *, event: str, event_id: str | None = None) -> None:
        identity = f"id: {event_id}\n" if event_id is not None else ""
        text = (
            data.model_dump_json().encode()
            if isinstance(data, BaseModel)
            else orjson.dumps(data, option=orjson.OPT_UTC_Z)
        )
        await self.response.write(f"{identity}event: {event}\ndata: ".encode() + text + b"\n\n")

    async def comment(self, text: str) -> None:
        """Keeps the connection alive; readers pass it over."""
        await self.response.write(f": {text}\n\n".encode())
