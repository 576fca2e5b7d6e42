"""/v1/quotas, usage: what a tenant may have, and what came of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from controlplane.api import views
from controlplane.api.requests import Limits, Repair, UsageQuery, UserLimits
from controlplane.api.routing import Reply, Routes
from controlplane.domain.permissions import Action
from controlplane.http.calls import Call
from controlplane.http.keys import CLOCK, QUOTAS
from controlplane.store.records import Usage
from shared.clock import to_datetime
from shared.errors import InvalidField
from shared.ids import TenantId, UserId

routes: Final = Routes("quotas")

CSV: Final = "text/csv"


@routes.add(
    "GET", "/v1/quotas", permission=Action.QUOTAS_READ, summary="One's own quotas and counters", answer=views.QuotasView
)
async def read_own_quotas(call: Call[None]) -> Reply:
    caller = call.principal
    return Reply(views.quotas(await call.request.app[QUOTAS].read_with_user(caller.tenant, caller.user_id)))


@routes.add(
    "GET",
    "/v1/tenants/{tenant_id}/quotas",
    permission=Action.TENANTS_READ,
    summary="A tenant's quotas and counters",
    answer=views.QuotasView,
)
async def read_quotas(call: Call[None]) -> Reply:
    return Reply(views.quotas(await call.request.app[QUOTAS].read(_tenant_id(call))))


@routes.add(
    "PUT",
    "/v1/tenants/{tenant_id}/quotas",
    permission=Action.TENANTS_UPDATE,
    summary="Set a tenant's limits, from now on: null is none, what is left out is the default again",
    body=Limits,
    answer=views.QuotasView,
)
async def set_quotas(call: Call[Limits]) -> Reply:
    return Reply(views.quotas(await call.request.app[QUOTAS].change(_tenant_id(call), call.body.by_quota())))


@routes.add(
    "GET",
    "/v1/users/{user_id}/quotas",
    permission=Action.QUOTAS_READ,
    summary="What a user may have beside what its tenant may",
    answer=views.UserQuotasView,
)
async def read_user_quotas(call: Call[None]) -> Reply:
    return Reply(views.user_quotas(await call.request.app[QUOTAS].read_user(call.principal.tenant, _user_id(call))))


@routes.add(
    "PUT",
    "/v1/users/{user_id}/quotas",
    permission=Action.QUOTAS_UPDATE,
    summary="Set a user's limits, from now on: null, or left out, is none but the tenant's",
    body=UserLimits,
    answer=views.UserQuotasView,
)
async def set_user_quotas(call: Call[UserLimits]) -> Reply:
    return Reply(await _set_user_quotas(call, call.principal.tenant))


@routes.add(
    "GET",
    "/v1/tenants/{tenant_id}/users/{user_id}/quotas",
    permission=Action.TENANTS_READ,
    summary="What a user of a tenant may have beside what the tenant may",
    answer=views.UserQuotasView,
)
async def read_quotas_of_tenants_user(call: Call[None]) -> Reply:
    return Reply(views.user_quotas(await call.request.app[QUOTAS].read_user(_tenant_id(call), _user_id(call))))


@routes.add(
    "PUT",
    "/v1/tenants/{tenant_id}/users/{user_id}/quotas",
    permission=Action.TENANTS_UPDATE,
    summary="Set the limits of a user of a tenant, from now on: null, or left out, is none but the tenant's",
    body=UserLimits,
    answer=views.UserQuotasView,
)
async def set_quotas_of_tenants_user(call: Call[UserLimits]) -> Reply:
    return Reply(await _set_user_quotas(call, _tenant_id(call)))


@routes.add(
    "GET",
    "/v1/usage",
    permission=Action.USAGE_READ,
    summary="One's own usage, day by day; CSV with `format=csv` or `Accept: text/csv`",
    query=UsageQuery,
    answer=views.UsageView,
    also_as=CSV,
)
async def read_own_usage(call: Call[None]) -> Reply | web.Response:
    return await _usage(call, call.principal.tenant)


@routes.add(
    "GET",
    "/v1/tenants/{tenant_id}/usage",
    permission=Action.TENANTS_READ,
    summary="A tenant's usage, day by day; CSV with `format=csv` or `Accept: text/csv`",
    query=UsageQuery,
    answer=views.UsageView,
    also_as=CSV,
)
async def read_usage(call: Call[None]) -> Reply | web.Response:
    return await _usage(call, _tenant_id(call))


@routes.add(
    "GET",
    "/v1/drift",
    permission=Action.TENANTS_READ,
    summary="Counters that do not equal a recount: there ought to be none",
    answer=views.DriftsView,
)
async def read_drift(call: Call[None]) -> Reply:
    return Reply(views.drifts(await call.request.app[QUOTAS].drift()))


@routes.add(
    "POST",
    "/v1/drift/repair",
    permission=Action.TENANTS_UPDATE,
    summary="Set the counters that do not equal a recount to it; answers with what was wrong",
    body=Repair,
    answer=views.DriftsView,
)
async def repair_drift(call: Call[Repair]) -> Reply:
    tenant_id = TenantId(call.body.tenant_id) if call.body.tenant_id else None
    return Reply(views.drifts(await call.request.app[QUOTAS].repair(tenant_id)))


async def _set_user_quotas(call: Call[UserLimits], tenant_id: TenantId) -> views.UserQuotasView:
    limits = call.body.by_quota()
    return views.user_quotas(await call.request.app[QUOTAS].change_user(tenant_id, _user_id(call), limits))


async def _usage(call: Call[None], tenant_id: TenantId) -> Reply | web.Response:
    query: UsageQuery = call.query
    until = query.until or to_datetime(call.request.app[CLOCK].now_ms()).date()
    since = query.since or until.replace(day=1)
    if since > until:
        raise InvalidField("This is after `until`.", pointer="/since")
    days = await call.request.app[QUOTAS].usage(tenant_id, since.isoformat(), until.isoformat())
    if _wants_csv(call):
        return web.Response(text=as_csv(days), content_type=CSV, charset="utf-8")
    return Reply(views.usage(days, since, until))


def as_csv(days: Sequence[Usage]) -> str:
    text = io.StringIO()
    rows = csv.DictWriter(text, ["day", *views.UsedView.model_fields])
    rows.writeheader()
    rows.writerows(views.day(day).model_dump() for day in days)
    return text.getvalue()


def _wants_csv(call: Call[Any]) -> bool:
    """What the URL says goes before what the headers say: people type URLs."""
    if call.query.format is not None:
        return bool(call.query.format == "csv")
    accepted = call.request.headers.get("Accept", "").split(",")
    return accepted[0].partition(";")[0].strip().lower() == CSV


def _tenant_id(call: Call[Any]) -> TenantId:
    return TenantId(call.path("tenant_id"))


def _user_id(call: Call[Any]) -> UserId:
    return UserId(call.path("user_id"))
