"""/v1/users, /v1/keys: whom a tenant lets in. To operators they are the operators and their keys."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from controlplane.api import views
from controlplane.api.paging import page
from controlplane.api.requests import KeysQuery, NewKey, NewUser, PageQuery, Permission, UserChanges
from controlplane.api.routing import Reply, Routes
from controlplane.domain.permissions import Action, Statement
from controlplane.http.calls import Call
from controlplane.http.keys import TENANTS, USERS
from shared.ids import KeyId, TenantId, UserId

routes: Final = Routes("users")
keys: Final = Routes("keys")


@routes.add(
    "POST",
    "/v1/users",
    permission=Action.USERS_CREATE,
    summary="Make a user",
    body=NewUser,
    answer=views.UserView,
    status=201,
)
async def create_user(call: Call[NewUser]) -> Reply:
    wanted = call.body
    made = await call.request.app[USERS].create(
        call.principal.tenant_id, wanted.name, wanted.role, _statements(wanted.permissions)
    )
    return Reply(views.user(made), status=201)


@routes.add(
    "GET",
    "/v1/users",
    permission=Action.USERS_READ,
    summary="List users",
    query=PageQuery,
    answer=views.Page[views.UserView],
)
async def list_users(call: Call[None]) -> Reply:
    find = partial(call.request.app[USERS].page, call.principal.tenant_id)
    return Reply(await page(call, ["users"], find, lambda found: found.id, views.user))


@routes.add("GET", "/v1/users/{user_id}", permission=Action.USERS_READ, summary="Read a user", answer=views.UserView)
async def read_user(call: Call[None]) -> Reply:
    return Reply(views.user(await call.request.app[USERS].get(call.principal.tenant_id, _user_id(call))))


@routes.add(
    "PATCH",
    "/v1/users/{user_id}",
    permission=Action.USERS_UPDATE,
    summary="Change a user and what it may do, at once",
    body=UserChanges,
    answer=views.UserView,
)
async def update_user(call: Call[UserChanges]) -> Reply:
    wanted = call.body
    changed = await call.request.app[USERS].update(
        call.principal.tenant_id,
        _user_id(call),
        name=wanted.name,
        role=wanted.role,
        statements=None if wanted.permissions is None else _statements(wanted.permissions),
    )
    return Reply(views.user(changed))


@routes.add(
    "DELETE",
    "/v1/users/{user_id}",
    permission=Action.USERS_DELETE,
    summary="Delete a user and its keys, at once",
    status=204,
)
async def delete_user(call: Call[None]) -> Reply:
    await call.request.app[USERS].delete(call.principal.tenant_id, _user_id(call))
    return Reply()


@keys.add(
    "POST",
    "/v1/keys",
    permission=Action.KEYS_CREATE,
    summary="Make an API key for a user",
    body=NewKey,
    answer=views.NewKeyView,
    status=201,
)
async def create_key(call: Call[NewKey]) -> Reply:
    caller, wanted = call.principal, call.body
    return await made_key(call, caller.tenant_id, wanted.user_id or caller.user_id)


async def made_key(call: Call[NewKey], tenant_id: TenantId | None, user_id: UserId) -> Reply:
    service, wanted = call.request.app[TENANTS], call.body
    make = service.create_access_key if wanted.kind == "sigv4" else service.create_key
    made, secret = await make(tenant_id, user_id, wanted.label, wanted.expires_in)
    return Reply(views.new_key(made, secret), status=201)


@keys.add(
    "GET",
    "/v1/keys",
    permission=Action.KEYS_READ,
    summary="List API keys",
    query=KeysQuery,
    answer=views.Page[views.KeyView],
)
async def list_keys(call: Call[None]) -> Reply:
    user_id = call.query.user_id
    find = partial(call.request.app[TENANTS].keys, call.principal.tenant_id, user_id)
    return Reply(await page(call, ["keys", user_id or ""], find, lambda found: found.id, views.key))


@keys.add(
    "DELETE", "/v1/keys/{key_id}", permission=Action.KEYS_DELETE, summary="Revoke an API key, at once", status=204
)
async def revoke_key(call: Call[None]) -> Reply:
    await call.request.app[TENANTS].revoke_key(call.principal.tenant_id, KeyId(call.path("key_id")))
    return Reply()


def _statements(permissions: Sequence[Permission]) -> tuple[Statement, ...]:
    return tuple(Statement(one.actions, one.resources) for one in permissions)


def _user_id(call: Call[Any]) -> UserId:
    return UserId(call.path("user_id"))
