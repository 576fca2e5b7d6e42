"""Routes as values: what a call takes and gives, who may make it, and the function that serves it.

The same values make the router, the OpenAPI document and the tests that go through every route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from controlplane.api.requests import PageQuery
from controlplane.auth.principal import Principal
from controlplane.domain.permissions import Action, Resources, Role
from controlplane.domain.throttle import Operation, operation
from controlplane.http.calls import PLACEHOLDER, Call, authenticated, carried_out, is_audited
from controlplane.http.keys import MAX_DOCUMENT
from controlplane.http.reading import document, invalid, size_of_document
from controlplane.http.throttling import count


@dataclass(frozen=True)
class Reply:
    """What is answered; `body` None means no content."""

    body: BaseModel | Mapping[str, Any] | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    serve: Callable[[Call[Any]], Coroutine[Any, Any, Reply | web.StreamResponse]]
    permission: Action
    summary: str
    tag: str
    body: type[BaseModel] | None
    read: Callable[[bytes], BaseModel] | None
    query: type[BaseModel] | None
    answer: type[BaseModel] | None
    status: int
    is_stream: bool
    may_break_off: bool
    also_as: str | None

    @property
    def operation(self) -> str:
        """Its name in the API's document and in the audit log."""
        return self.serve.__name__ if self.tag != "jobs" else f"{self.serve.__name__}_job"

    @property
    def is_list(self) -> bool:
        return self.query is not None and issubclass(self.query, PageQuery)

    @property
    def counted_as(self) -> Operation:
        return operation(self.permission, is_list=self.is_list)

    @property
    def changes(self) -> bool:
        return self.method != "GET"

    def is_audited(self, role: Role) -> bool:
        return is_audited(self.permission, role, changes=self.changes)


Serve = Callable[[Call[Any]], Coroutine[Any, Any, Reply | web.StreamResponse]]


class Routes:
    """Collects the routes of one part of the API."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.all: list[Route] = []

    def add(
        self,
        method: str,
        path: str,
        *,
        permission: Action,
        summary: str,
        body: type[BaseModel] | None = None,
        read: Callable[[bytes], BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        answer: type[BaseModel] | None = None,
        status: int = 200,
        is_stream: bool = False,
        may_break_off: bool = False,
        also_as: str | None = None,
    ) -> Callable[[Serve], Serve]:
        """Registers a function for a method and a path. Every route names the action that its callers must be allowed.

        `read`: how a body is read, where it is not by its model alone.
        `may_break_off`: a caller that goes away may end it anywhere, since its one commit brings what it entails by itself.
        `also_as`: another media type in which it answers, besides JSON.
        """
        if not isinstance(permission, Action):
            raise TypeError(f"{method} {path} names no action of the catalogue: {permission!r}")

        def register(serve: Serve) -> Serve:
            self.all.append(
                Route(
                    method,
                    path,
                    serve,
                    permission,
                    summary,
                    self.tag,
                    body,
                    read or (body and body.model_validate_json),
                    query,
                    answer,
                    status,
                    is_stream,
                    may_break_off,
                    also_as,
                )
            )
            return serve

        return register


Find = Callable[[Call[Any]], Awaitable[Resources]]
"""Finds what a call is about. Raises NotFound."""


def handler(route: Route, find: Find | None) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of a route: authenticate, count, parse, call, render."""
    may_break_off = route.may_break_off or route.method == "GET"
    counted_as, changes, name = route.counted_as, route.changes, route.operation

    async def serve(call: Call[Any]) -> web.StreamResponse:
        reply = await route.serve(call)
        return reply if isinstance(reply, web.StreamResponse) else _render(reply)

    async def handle(request: web.Request) -> web.StreamResponse:
        principal = await authenticated(request)
        limit = request.app[MAX_DOCUMENT] if route.read is not None else 0
        count(request, principal, counted_as, size_of_document(request, limit))
        principal.check_side(route.permission)
        if route.permission not in principal.actions:
            await _refuse(route, principal, request, find)
        sent = await document(request, limit) if route.read is not None else b""
        try:
            query = route.query.model_validate(dict(request.query)) if route.query else _no_query(request)
            body = route.read(sent or b"{}") if route.read else None
        except ValidationError as error:
            raise invalid(error) from error
        call = Call(principal, route.permission, body, sent, query, request)
        if principal.statements and find is not None:
            principal.check(route.permission, await find(call))
        return await carried_out(
            call,
            serve,
            operation=name,
            changes=changes,
            may_break_off=may_break_off,
            is_stream=route.is_stream,
        )

    return handle


async def _refuse(route: Route, principal: Principal, request: web.Request, find: Find | None) -> None:
    """Another tenant's things are not found, whatever one may do to one's own."""
    if find is not None and PLACEHOLDER.search(route.path):
        await find(Call(principal, route.permission, None, b"", None, request))
    principal.check(route.permission, ())


class _NoQuery(BaseModel, extra="forbid"):
    pass


_NO_QUERY: Final = _NoQuery()


def _no_query(request: web.Request) -> _NoQuery:
    return _NoQuery.model_validate(dict(request.query)) if request.query_string else _NO_QUERY


def _json(value: Mapping[str, Any]) -> bytes:
    """Times as pydantic writes them: with Z."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def _render(reply: Reply) -> web.Response:
    if reply.body is None:
        return web.Response(status=204 if reply.status == 200 else reply.status, headers=reply.headers)
    text = reply.body.model_dump_json().encode() if isinstance(reply.body, BaseModel) else _json(reply.body)
    return web.Response(body=text, status=reply.status, content_type="application/json", headers=reply.headers)
