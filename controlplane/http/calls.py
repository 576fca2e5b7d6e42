"""A request that was let in and understood, and how what it asks for is carried out: the same way for every API."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from aiohttp import web

from controlplane.auth.principal import Principal
from controlplane.domain.permissions import OPERATORS_OWN, Action, Resources, Role
from controlplane.http.answering import REQUEST_ID
from controlplane.http.connections import caller, site
from controlplane.http.finishing import to_its_end
from controlplane.http.keys import AUDIT, BEARERS
from controlplane.http.throttling import metered
from controlplane.services.acting import ACTING, Acting
from shared.errors import NotFound

T = TypeVar("T")
Body = TypeVar("Body")

PLACEHOLDER: Final = re.compile(r"\{(\w+)(?::[^}]+)?\}")
_THING: Final = {"key": "object"}
"""Where a placeholder has another name than the thing."""


@dataclass(frozen=True)
class Call(Generic[Body]):
    """A request that was let in and understood."""

    principal: Principal
    action: Action
    body: Body
    sent: bytes
    query: Any
    request: web.Request

    def path(self, name: str) -> str:
        """What stands at a placeholder. Raises NotFound for what nothing is named, and what PostgreSQL cannot be asked."""
        value = self.request.match_info[name]
        if "\0" in value:
            raise NotFound(_THING.get(name, name.removesuffix("_id")))
        return value

    def may(self, resources: Resources) -> bool:
        """Whether the caller may do what it asks to these."""
        return self.principal.may(self.action, resources)


async def authenticated(request: web.Request) -> Principal:
    """Raises Unauthenticated, or Throttled after many wrong credentials from one address."""
    return await request.app[BEARERS].principal(request.headers.get("Authorization"), partial(site, request))


def is_audited(action: Action, role: Role, *, changes: bool) -> bool:
    """Whatever changes something, and operators' looks at tenants' things."""
    return changes or (role is Role.OPERATOR and action.noun not in OPERATORS_OWN)


async def carried_out(
    call: Call[Any],
    serve: Callable[[Call[Any]], Coroutine[Any, Any, T]],
    *,
    operation: str,
    changes: bool,
    may_break_off: bool,
    is_stream: bool = False,
) -> T:
    """Serves a call with its caller known to whatever is done for it; `operation` is its name in the audit log.

    What is refused leaves no row there; a stream is looked at from its beginning.
    """
    acting = _acting(call, operation, is_owed=is_audited(call.action, call.principal.role, changes=changes))
    before = ACTING.set(acting)  # the next request of this connection may be another's
    try:
        served = _served(call, serve, acting, is_metered=not changes, is_stream=is_stream)
        return await (served if may_break_off else to_its_end(served))
    finally:
        ACTING.reset(before)


async def _served(
    call: Call[Any],
    serve: Callable[[Call[Any]], Coroutine[Any, Any, T]],
    acting: Acting,
    *,
    is_metered: bool,
    is_stream: bool,
) -> T:
    audit = call.request.app[AUDIT]
    if is_stream:
        await audit.settle(acting)
    answer = await (metered(call.request, call.principal, partial(serve, call)) if is_metered else serve(call))
    await audit.settle(acting)
    return answer


def _acting(call: Call[Any], operation: str, *, is_owed: bool) -> Acting:
    principal, named = call.principal, call.request.match_info
    return Acting(
        user_id=principal.user_id,
        role=principal.role,
        tenant_id=principal.tenant_id or named.get("tenant_id"),
        address=caller(call.request),
        request_id=call.request[REQUEST_ID],
        action=operation,
        objects=tuple(named.values()),
        is_owed=is_owed,
    )
