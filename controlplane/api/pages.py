"""Pages and probes that need no key: the document of the API and its browser, health, metrics."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Final

import orjson
from aiohttp import web

from controlplane.api import openapi
from controlplane.api.problems import STATUS
from controlplane.api.routing import Route
from controlplane.domain.permissions import Role
from controlplane.http.calls import authenticated
from controlplane.http.keys import HEALTH, SETTINGS
from shared.errors import ErrorCode, NotFound

_DOCS: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Edge Transcoder API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>
"""
_START: Final = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#ui", deepLinking: true});\n'
_POLICY: Final = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"

_MEANINGS: Final = {
    ErrorCode.MALFORMED_REQUEST: "The request is not JSON, or not HTTP as this route takes it.",
    ErrorCode.INVALID_FIELD: "A field has a value that it cannot have; `pointer` names it.",
    ErrorCode.MISSING_FIELD: "A required field is missing; `pointer` names it.",
    ErrorCode.UNKNOWN_FIELD: "There is no such field; `pointer` names it. Often a typo.",
    ErrorCode.INVALID_PAGE_TOKEN: "Page tokens belong to one list with one set of filters; begin again without one.",
    ErrorCode.UNAUTHENTICATED: "No credential, or one that is unknown, revoked or expired.",
    ErrorCode.FORBIDDEN: "The credential is good, and this is not for its holder.",
    ErrorCode.TENANT_SUSPENDED: "The operators have suspended the tenant: none of its keys is let in. What runs goes on.",
    ErrorCode.LINK_REFUSED: "A signed link is wrong, too old, or does not cover this.",
    ErrorCode.NOT_FOUND: "There is nothing of that name, or it is not yours.",
    ErrorCode.METHOD_NOT_ALLOWED: "The path exists, the method does not.",
    ErrorCode.TOO_SLOW: "The document did not arrive in time.",
    ErrorCode.WRONG_STATE: "What is asked cannot be done in the state in which the object is.",
    ErrorCode.IDEMPOTENCY_MISMATCH: "The client request token stands for another request. Make a new one per request.",
    ErrorCode.ALREADY_EXISTS: "Something of that name exists.",
    ErrorCode.IN_USE: "Something else still needs it.",
    ErrorCode.STALE_LEASE: "The attempt was given to another node, or has ended. Agents stop it and go on.",
    ErrorCode.PRECONDITION_FAILED: "It was changed since it was read; read it again.",
    ErrorCode.TOO_LARGE: "The body is larger than this route takes.",
    ErrorCode.UNSUPPORTED_ENCODING: "Bodies are taken as they are; send it without `Content-Encoding`.",
    ErrorCode.RANGE_NOT_SATISFIABLE: "The range lies outside of the object, or does not fit its body.",
    ErrorCode.PROTOCOL_TOO_OLD: "Agent and control plane are of different ages; update the older one.",
    ErrorCode.TOO_MANY_QUEUED: "The tenant has as many jobs waiting as it may have. Retry when some have begun.",
    ErrorCode.QUOTA_EXCEEDED: "A quota of the tenant is used up; retrying does not help.",
    ErrorCode.THROTTLED: "Too many requests; retry after `retry_after` seconds.",
    ErrorCode.STORAGE_FULL: "A disk is full. Nothing was changed; retry later.",
    ErrorCode.UNAVAILABLE: "The database is away. Retry with the same client request token.",
    ErrorCode.INTERNAL: "A fault of this service; its log has the request id.",
}


def routes(documented: Sequence[Route]) -> list[web.RouteDef]:
    async def openapi_json(_: web.Request) -> web.Response:
        text = await asyncio.to_thread(_document, tuple(documented))
        return web.Response(body=text, content_type="application/json")

    return [
        web.get("/openapi.json", openapi_json),
        web.get("/docs", docs),
        web.get("/docs/errors/{name}", error_page),
        web.get("/docs/{name}", asset),
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", metrics),
    ]


@cache
def _document(documented: tuple[Route, ...]) -> bytes:
    """Made once, when it is first asked for: it takes a quarter of a second, which no start has to wait for."""
    return orjson.dumps(openapi.document(documented))


async def docs(_: web.Request) -> web.Response:
    return web.Response(text=_DOCS, content_type="text/html", headers={"Content-Security-Policy": _POLICY})


async def asset(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name == "start.js":
        return web.Response(text=_START, content_type="text/javascript")
    content_type = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}.get(name)
    if content_type is None:
        raise NotFound("page")
    body = (resources.files("controlplane.api") / "static" / name).read_bytes()
    return web.Response(body=body, content_type=content_type, headers={"Cache-Control": "max-age=86400"})


async def error_page(request: web.Request) -> web.Response:
    """What the `type` of a problem document points to."""
    try:
        code = ErrorCode(request.match_info["name"].replace("-", "_"))
    except ValueError as error:
        raise NotFound("error") from error
    return web.Response(text=f"{code} (HTTP {STATUS[code]})\n\n{_MEANINGS[code]}\n")


async def healthz(_: web.Request) -> web.Response:
    return web.json_response({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    ready = await request.app[HEALTH].is_ready()
    return web.json_response({"status": "ready" if ready else "not ready"}, status=200 if ready else 503)


async def metrics(request: web.Request) -> web.Response:
    """For this machine itself without a key, for others with an operator's."""
    if not _is_from_here(request):
        principal = await authenticated(request)
        if principal.role is not Role.OPERATOR:
            raise NotFound("page")
    return web.Response(body=await request.app[HEALTH].metrics(), headers={"Content-Type": "text/plain; version=0.0.4"})


def _is_from_here(request: web.Request) -> bool:
    """Behind a proxy everybody seems to be."""
    if request.app[SETTINGS].behind_proxy or request.remote is None:
        return False
    return ipaddress.ip_address(request.remote).is_loopback
