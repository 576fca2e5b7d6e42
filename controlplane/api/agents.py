"""/agent/v1: the server's half of `shared.protocol`. Another router, another credential, never throttled with tenants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from controlplane.http.answering import REQUEST_ID
from controlplane.http.connections import caller, held, site
from controlplane.http.finishing import to_its_end
from controlplane.http.keys import BEARERS, BUCKETS, CLUSTERS, DISPATCHER, LEASES, LOGS, PUBLISHER, QUOTAS
from controlplane.http.reading import document, invalid
from controlplane.services.acting import ACTING, Acting
from controlplane.services.buckets import CHECK_SIZE
from controlplane.store.records import Node
from shared import protocol
from shared.errors import NotFound
from shared.models import Message

M = TypeVar("M", bound=Message)


class Acknowledged(Message):
    """Nothing more is to be said."""


async def enrol(request: web.Request) -> web.Response:
    asked = await _parse(request, protocol.EnrolRequest, protocol.ENROL_SIZE)
    enrolling = request.app[CLUSTERS].enrol(asked)
    return _render(await request.app[BEARERS].guessed(partial(site, request), enrolling))


async def authority(request: web.Request) -> web.Response:
    """For a node's first contact: it knows the fingerprint, and asks whoever answers for the certificate."""
    pem = request.app[CLUSTERS].authority
    if pem is None:
        raise NotFound("authority")
    return web.Response(body=pem, content_type="application/x-pem-file")


async def hello(app: web.Application, node: Node, asked: protocol.HelloRequest) -> Message:
    return await app[CLUSTERS].hello(node, asked)


async def poll(request: web.Request) -> web.Response:
    """Ends with its connection: nobody else could be told."""
    node = await _node(request)
    asked = await _parse(request, protocol.PollRequest)
    with held(request):
        return _render(await request.app[DISPATCHER].poll(node, asked))


async def accept(app: web.Application, node: Node, asked: protocol.AcceptRequest) -> Message:
    return protocol.AcceptAnswer(timings=await app[LEASES].accept(node, asked.ref))


async def probed(app: web.Application, node: Node, asked: protocol.ProbedRequest) -> Message:
    return await app[QUOTAS].probed(node, asked)


async def beat(app: web.Application, node: Node, asked: protocol.BeatRequest) -> Message:
    return await app[LEASES].beat(node, asked)


async def progress(app: web.Application, node: Node, asked: protocol.ProgressRequest) -> Message:
    await app[LEASES].progress(node, asked)
    return Acknowledged()


async def check(app: web.Application, node: Node, asked: protocol.CheckRequest) -> Message:
    return await app[CLUSTERS].check(node.id, asked, await app[BUCKETS].check_link(node.id), CHECK_SIZE)


async def draining(request: web.Request) -> web.Response:
    """What the owner of a node wants of it: people's doing, and audited as such."""
    node = await _node(request)
    asked = await _parse(request, protocol.DrainingRequest)
    return _render(await to_its_end(_draining(request, node, asked)))


async def _draining(request: web.Request, node: Node, asked: protocol.DrainingRequest) -> Message:
    clusters = request.app[CLUSTERS]
    before = ACTING.set(_owner(request, node, "drain_node" if asked.draining else "resume_node"))
    try:
        changed = await (clusters.drain(node.id) if asked.draining else clusters.resume(node.id))
    finally:
        ACTING.reset(before)
    return protocol.DrainingAnswer(state=changed.shown_state)


def _owner(request: web.Request, node: Node, action: str) -> Acting:
    return Acting(
        user_id=node.id,
        role="node",
        tenant_id=None,
        address=caller(request),
        request_id=request[REQUEST_ID],
        action=action,
        objects=(node.id,),
        is_owed=True,
    )


async def log(app: web.Application, node: Node, asked: protocol.LogRequest) -> Message:
    await app[LOGS].keep(node, asked)
    return Acknowledged()


async def urls(app: web.Application, node: Node, asked: protocol.UrlsRequest) -> Message:
    return await app[LEASES].urls(node, asked)


async def report(app: web.Application, node: Node, asked: protocol.ReportRequest) -> Message:
    return await app[PUBLISHER].report(node, asked)


def routes() -> list[web.RouteDef]:
    return [
        web.get("/agent/v1/authority", authority),
        web.post("/agent/v1/enrol", enrol),
        web.post("/agent/v1/hello", _for_nodes(protocol.HelloRequest, hello)),
        web.post("/agent/v1/poll", poll),
        web.post("/agent/v1/accept", _for_nodes(protocol.AcceptRequest, accept)),
        web.post("/agent/v1/probed", _for_nodes(protocol.ProbedRequest, probed)),
        web.post("/agent/v1/beat", _for_nodes(protocol.BeatRequest, beat)),
        web.post("/agent/v1/progress", _for_nodes(protocol.ProgressRequest, progress)),
        web.post("/agent/v1/check", _for_nodes(protocol.CheckRequest, check)),
        web.post("/agent/v1/draining", draining),
        web.post("/agent/v1/log", _for_nodes(protocol.LogRequest, log)),
        web.post("/agent/v1/urls", _for_nodes(protocol.UrlsRequest, urls)),
        web.post("/agent/v1/report", _for_nodes(protocol.ReportRequest, report)),
    ]


def _for_nodes(
    kind: type[M], serve: Callable[[web.Application, Node, M], Coroutine[Any, Any, Message]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        node = await _node(request)
        asked = await _parse(request, kind)
        return _render(await to_its_end(serve(request.app, node, asked)))

    return handle


async def _node(request: web.Request) -> Node:
    return await request.app[BEARERS].node(request.headers.get("Authorization"), partial(site, request))


async def _parse(request: web.Request, kind: type[M], limit: int = protocol.MESSAGE_SIZE) -> M:
    try:
        return kind.model_validate_json(await document(request, limit))
    except ValidationError as error:
        raise invalid(error) from error


def _render(message: BaseModel) -> web.Response:
    return web.Response(body=message.model_dump_json().encode(), content_type="application/json")
