"""/v1/audit: who did what."""

from __future__ import annotations

from typing import Final

from controlplane.api import views
from controlplane.api.requests import AuditQuery
from controlplane.api.routing import Reply, Routes
from controlplane.domain.permissions import Action
from controlplane.http.calls import Call
from controlplane.http.keys import AUDIT
from shared.errors import Forbidden

routes: Final = Routes("audit")


@routes.add(
    "GET",
    "/v1/audit",
    permission=Action.AUDIT_READ,
    summary="What was done, newest first; tenants see what was done to them",
    query=AuditQuery,
    answer=views.Page[views.DeedView],
)
async def list_audit(call: Call[None]) -> Reply:
    """A page may be short and yet not be the last one."""
    query: AuditQuery = call.query
    own = call.principal.tenant_id
    if own is not None and query.tenant_id not in (None, own):
        raise Forbidden("This is for operators.")
    wanted = {"tenant_id": own or query.tenant_id, **query.model_dump(include={"user_id", "action", "object"})}
    found, more = await call.request.app[AUDIT].page(wanted, query.page_token, query.page_size)
    return Reply(views.Page[views.DeedView](items=[views.deed(one) for one in found], next_page_token=more))
