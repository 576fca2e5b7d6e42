"""Operations as values: what each takes, who may call it, and the function that serves it.

The same values make the router and the tests that go through every operation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from controlplane.auth.access_keys import Signed
from controlplane.auth.sigv4 import SKEW
from controlplane.dialects.elastictranscoder.constraints import invalid
from controlplane.dialects.elastictranscoder.errors import PREFIX, NotThere
from controlplane.domain.permissions import Action, Resources
from controlplane.domain.throttle import operation as counted_as
from controlplane.http.answering import REQUEST_ID
from controlplane.http.calls import PLACEHOLDER, Call, carried_out
from controlplane.http.keys import SETTINGS
from controlplane.http.signing import signed
from controlplane.http.throttling import count
from controlplane.store.operations.tokens import Token
from shared.errors import MalformedRequest, NotFound

SIGNED: Final = web.RequestKey("signed", Signed)

REPLAY_MS: Final = int(2 * SKEW.total_seconds() * 1000)
"""As long as a signature may be good: it may be dated ahead of our clock by as much as behind."""

Answer = Mapping[str, Any]
SUCCESS: Final[Answer] = {"Success": "true"}
Serve = Callable[[Call[Any]], Coroutine[Any, Any, Answer]]
Find = Callable[[Call[Any]], Awaitable[Resources]]
"""Finds what a call is about, in the words of permissions. Raises NotFound."""


async def nothing(_: Call[Any]) -> Resources:
    """What has no name is for those who may do this to everything."""
    return ()


@dataclass(frozen=True)
class Operation:
    """`noun` is what its path names: what is told not to be there."""

    name: str
    method: str
    path: str
    status: int
    permission: Action
    takes: type[BaseModel]
    read: Callable[[bytes], BaseModel]
    serve: Serve
    find: Find
    noun: str | None
    may_break_off: bool

    @property
    def is_list(self) -> bool:
        return self.name.startswith("List")

    @property
    def shows_what_may_be_seen(self) -> bool:
        """Nobody has to be kept out: whoever is narrowed is told less."""
        return self.is_list or self.name == "TestRole"

    @property
    def changes(self) -> bool:
        """TestRole is sent by POST, and changes nothing."""
        return self.method != "GET" and self.permission.verb != "read"

    @property
    def audited_as(self) -> str:
        return f"elastictranscoder:{self.name}"


class Operations:
    """Collects the operations of one part of the dialect."""

    def __init__(self) -> None:
        self.all: list[Operation] = []

    def add(
        self,
        name: str,
        method: str,
        path: str,
        *,
        permission: Action,
        takes: type[BaseModel],
        read: Callable[[bytes], BaseModel] | None = None,
        status: int = 200,
        find: Find = nothing,
        noun: str | None = None,
        may_break_off: bool = False,
    ) -> Callable[[Serve], Serve]:
        """`path` without the version; what stands in braces is a member of `takes`, and so are the query's parameters.

        `read`: how a body is read, where it is not by what is taken alone.
        """

        def register(serve: Serve) -> Serve:
            may_end = may_break_off or method == "GET"
            made = Operation(
                name,
                method,
                PREFIX + path,
                status,
                permission,
                takes,
                read or takes.model_validate_json,
                serve,
                find,
                noun,
                may_break_off=may_end,
            )
            self.all.append(made)
            return serve

        return register


def handler(operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The aiohttp handler of an operation: check the signature, count, parse, call, render."""
    counted = counted_as(operation.permission, is_list=operation.is_list)
    has_names = bool(PLACEHOLDER.search(operation.path))
    changes, audited_as = operation.changes, operation.audited_as

    async def serve(call: Call[Any]) -> web.Response:
        return _rendered(call.request, await operation.serve(call), operation.status)

    async def handle(request: web.Request) -> web.Response:
        request[SIGNED] = caller = await signed(request)
        principal = caller.principal
        count(request, principal, counted, len(caller.sent))
        principal.check_side(operation.permission)
        if operation.permission not in principal.actions:
            principal.check(operation.permission, ())
        try:
            body = _understood(operation, request, caller.sent, has_names=has_names)
        except ValidationError as error:
            raise invalid(error) from error
        call = Call(principal, operation.permission, body, caller.sent, None, request)
        try:
            if principal.statements and not operation.shows_what_may_be_seen:
                principal.check(operation.permission, await operation.find(call))
            return await carried_out(
                call,
                serve,
                operation=audited_as,
                changes=changes,
                may_break_off=operation.may_break_off,
            )
        except NotFound as error:
            if operation.noun is None:
                raise
            raise NotThere(operation.noun, principal.tenant, request.match_info["Id"]) from error

    return handle


def identity(call: Call[Any], operation: str) -> Token | None:
    """Under which a create is known when it comes again byte by byte, for as long as its signature is good.

    The token stands for the whole request: there is nothing else to compare.
    """
    replay = call.request[SIGNED].replay
    return Token("elastictranscoder", operation, replay.token, "", REPLAY_MS, replay.signed_at) if replay else None


def arn(call: Call[Any], kind: str, name: str) -> str:
    """In the region that the client speaks to: here all of them are one."""
    region = call.request[SIGNED].region or call.request.app[SETTINGS].dialect_region
    return f"arn:aws:elastictranscoder:{region}:{call.principal.tenant}:{kind}/{name}"


def _understood(operation: Operation, request: web.Request, sent: bytes, *, has_names: bool) -> BaseModel:
    """Members of path, query and body together. Whatever the content type says, a body is JSON; one may be missing.

    Older clients say what the path names once more in the query or the body; what is told in two ways is refused.
    """
    if not has_names and not request.query_string:
        return operation.read(sent or b"{}")
    try:
        body = orjson.loads(sent or b"{}")
        told = [*request.match_info.items(), *request.query.items(), *body.items()]
        everything = orjson.dumps(dict(told))
    except (ValueError, TypeError, AttributeError) as error:  # no JSON, no object, or one that is nested too deep
        raise MalformedRequest("The body is not a JSON object.") from error
    members: dict[str, Any] = {}
    for name, value in told:
        if members.setdefault(name, value) != value:
            raise MalformedRequest(f"{name} is told twice, in two ways.")
    return operation.takes.model_validate_json(everything)  # strict, as JSON is: with lists, not tuples


def _rendered(request: web.Request, answer: Answer, status: int) -> web.Response:
    headers = {"x-amzn-RequestId": request[REQUEST_ID]}
    return web.Response(body=orjson.dumps(answer), status=status, content_type="application/json", headers=headers)
