"""/v1/webhooks: where a tenant wants to be told of its jobs, and how that went."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from controlplane.api import views
from controlplane.api.paging import page
from controlplane.api.requests import DeliveriesQuery, NewWebhook, PageQuery, Rotation, WebhookChanges
from controlplane.api.routing import Reply, Routes
from controlplane.domain.notifications import EndpointStatus
from controlplane.domain.permissions import Action
from controlplane.http.calls import Call
from controlplane.http.keys import WEBHOOKS
from controlplane.store.records import Delivery
from shared.errors import InvalidField
from shared.ids import EndpointId, MessageId

routes: Final = Routes("webhooks")
NEWEST: Final = 1 << 62


@routes.add(
    "POST",
    "/v1/webhooks",
    permission=Action.WEBHOOKS_CREATE,
    summary="Be told of jobs at an address; its secret is shown once",
    body=NewWebhook,
    answer=views.NewWebhookView,
    status=201,
)
async def create_webhook(call: Call[NewWebhook]) -> Reply:
    wanted = call.body
    made, secret = await call.request.app[WEBHOOKS].create(
        call.principal.tenant, url=wanted.url, types=wanted.types, description=wanted.description
    )
    return Reply(views.NewWebhookView(**dict(views.webhook(made)), secret=secret), status=201)


@routes.add(
    "GET",
    "/v1/webhooks",
    permission=Action.WEBHOOKS_READ,
    summary="List webhooks",
    query=PageQuery,
    answer=views.Page[views.WebhookView],
)
async def list_webhooks(call: Call[None]) -> Reply:
    find = partial(call.request.app[WEBHOOKS].page, call.principal.tenant)
    return Reply(await page(call, ["webhooks"], find, lambda found: found.id, views.webhook))


@routes.add(
    "GET",
    "/v1/webhooks/{webhook_id}",
    permission=Action.WEBHOOKS_READ,
    summary="Read a webhook",
    answer=views.WebhookView,
)
async def read_webhook(call: Call[None]) -> Reply:
    return Reply(views.webhook(await call.request.app[WEBHOOKS].get(call.principal.tenant, _webhook_id(call))))


@routes.add(
    "PATCH",
    "/v1/webhooks/{webhook_id}",
    permission=Action.WEBHOOKS_UPDATE,
    summary="Change a webhook, disable it, or make it active again",
    body=WebhookChanges,
    answer=views.WebhookView,
)
async def update_webhook(call: Call[WebhookChanges]) -> Reply:
    wanted = call.body
    null = next((name for name in wanted.model_fields_set if getattr(wanted, name) is None), None)
    if null is not None:
        raise InvalidField("This cannot be null.", pointer=f"/{null}")
    changed = await call.request.app[WEBHOOKS].update(
        call.principal.tenant,
        _webhook_id(call),
        url=wanted.url,
        types=wanted.types,
        description=wanted.description,
        is_active=None if wanted.status is None else wanted.status is EndpointStatus.ACTIVE,
    )
    return Reply(views.webhook(changed))


@routes.add(
    "DELETE",
    "/v1/webhooks/{webhook_id}",
    permission=Action.WEBHOOKS_DELETE,
    summary="Delete a webhook, and what waits for it",
    status=204,
)
async def delete_webhook(call: Call[None]) -> Reply:
    await call.request.app[WEBHOOKS].delete(call.principal.tenant, _webhook_id(call))
    return Reply()


@routes.add(
    "POST",
    "/v1/webhooks/{webhook_id}/rotate",
    permission=Action.WEBHOOKS_ROTATE,
    summary="A new secret, shown once; for a while messages are signed with the old one too",
    body=Rotation,
    answer=views.NewWebhookView,
)
async def rotate_webhook(call: Call[Rotation]) -> Reply:
    changed, secret = await call.request.app[WEBHOOKS].rotate(
        call.principal.tenant, _webhook_id(call), keep_for=call.body.keep_old_for
    )
    return Reply(views.NewWebhookView(**dict(views.webhook(changed)), secret=secret))


@routes.add(
    "POST",
    "/v1/webhooks/{webhook_id}/test",
    permission=Action.WEBHOOKS_TEST,
    summary="Send a message without news",
    answer=views.DeliveryView,
    status=202,
)
async def test_webhook(call: Call[None]) -> Reply:
    made = await call.request.app[WEBHOOKS].test(call.principal.tenant, _webhook_id(call))
    return Reply(views.delivery(made), status=202)


@routes.add(
    "GET",
    "/v1/webhooks/{webhook_id}/deliveries",
    permission=Action.WEBHOOKS_READ,
    summary="What it was sent, newest first, and how that went",
    query=DeliveriesQuery,
    answer=views.Page[views.DeliveryView],
)
async def list_webhook_deliveries(call: Call[None]) -> Reply:
    webhook_id, state, service = _webhook_id(call), call.query.state, call.request.app[WEBHOOKS]

    async def find(after: str, size: int) -> list[Delivery]:
        return await service.deliveries(call.principal.tenant, webhook_id, state, int(after or NEWEST), size)

    scope = ["deliveries", webhook_id, state or ""]
    return Reply(await page(call, scope, find, lambda found: str(found.number), views.delivery))


@routes.add(
    "GET",
    "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}",
    permission=Action.WEBHOOKS_READ,
    summary="Read a delivery",
    answer=views.DeliveryView,
)
async def read_webhook_delivery(call: Call[None]) -> Reply:
    found = await call.request.app[WEBHOOKS].delivery(
        call.principal.tenant, _webhook_id(call), MessageId(call.path("delivery_id"))
    )
    return Reply(views.delivery(found))


@routes.add(
    "POST",
    "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
    permission=Action.WEBHOOKS_REDELIVER,
    summary="Send a message once more, under the same id",
    answer=views.DeliveryView,
    status=202,
)
async def redeliver_to_webhook(call: Call[None]) -> Reply:
    again = await call.request.app[WEBHOOKS].redeliver(
        call.principal.tenant, _webhook_id(call), MessageId(call.path("delivery_id"))
    )
    return Reply(views.delivery(again), status=202)


def _webhook_id(call: Call[Any]) -> EndpointId:
    return EndpointId(call.path("webhook_id"))
