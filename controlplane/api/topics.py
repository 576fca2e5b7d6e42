"""/v1/topics: operators put endpoints behind the topics that tenants' pipelines name."""

from __future__ import annotations

from typing import Any, Final

from controlplane.api import views
from controlplane.api.links import absolute
from controlplane.api.paging import page
from controlplane.api.requests import DeliveriesQuery, NewTopic, PageQuery
from controlplane.api.routing import Reply, Routes
from controlplane.api.webhooks import NEWEST
from controlplane.domain.permissions import Action
from controlplane.http.calls import Call
from controlplane.http.keys import SETTINGS, TOPICS
from controlplane.store.records import Delivery
from shared.ids import EndpointId, MessageId

routes: Final = Routes("topics")


@routes.add(
    "POST",
    "/v1/topics",
    permission=Action.TOPICS_CREATE,
    summary="Put an endpoint behind a topic; it is asked to confirm",
    body=NewTopic,
    answer=views.TopicView,
    status=201,
)
async def create_topic(call: Call[NewTopic]) -> Reply:
    wanted, app = call.body, call.request.app
    base_url = absolute(call.request, app[SETTINGS], "")
    made = await app[TOPICS].create(wanted.arn, wanted.url, wanted.tenant_id, base_url)
    return Reply(views.topic(made), status=201)


@routes.add(
    "GET",
    "/v1/topics",
    permission=Action.TOPICS_READ,
    summary="List the endpoints behind topics",
    query=PageQuery,
    answer=views.Page[views.TopicView],
)
async def list_topics(call: Call[None]) -> Reply:
    find = call.request.app[TOPICS].page
    return Reply(await page(call, ["topics"], find, lambda found: found.id, views.topic))


@routes.add(
    "GET",
    "/v1/topics/{topic_id}",
    permission=Action.TOPICS_READ,
    summary="Read an endpoint behind a topic",
    answer=views.TopicView,
)
async def read_topic(call: Call[None]) -> Reply:
    return Reply(views.topic(await call.request.app[TOPICS].get(_topic_id(call))))


@routes.add(
    "DELETE",
    "/v1/topics/{topic_id}",
    permission=Action.TOPICS_DELETE,
    summary="Take an endpoint away from behind its topic",
    status=204,
)
async def delete_topic(call: Call[None]) -> Reply:
    await call.request.app[TOPICS].delete(_topic_id(call))
    return Reply()


@routes.add(
    "POST",
    "/v1/topics/{topic_id}/confirm",
    permission=Action.TOPICS_CONFIRM,
    summary="Confirm for the endpoint",
    answer=views.TopicView,
)
async def confirm_topic(call: Call[None]) -> Reply:
    return Reply(views.topic(await call.request.app[TOPICS].confirm(_topic_id(call))))


@routes.add(
    "POST",
    "/v1/topics/{topic_id}/ask",
    permission=Action.TOPICS_CONFIRM,
    summary="Ask the endpoint to confirm once more",
    answer=views.TopicView,
    status=202,
)
async def ask_topic(call: Call[None]) -> Reply:
    return Reply(views.topic(await call.request.app[TOPICS].ask(_topic_id(call))), status=202)


@routes.add(
    "GET",
    "/v1/topics/{topic_id}/deliveries",
    permission=Action.TOPICS_READ,
    summary="What it was sent, newest first, and how that went",
    query=DeliveriesQuery,
    answer=views.Page[views.DeliveryView],
)
async def list_topic_deliveries(call: Call[None]) -> Reply:
    topic_id, state, service = _topic_id(call), call.query.state, call.request.app[TOPICS]

    async def find(after: str, size: int) -> list[Delivery]:
        return await service.deliveries(topic_id, state, int(after or NEWEST), size)

    scope = ["deliveries", topic_id, state or ""]
    return Reply(await page(call, scope, find, lambda found: str(found.number), views.delivery))


@routes.add(
    "POST",
    "/v1/topics/{topic_id}/deliveries/{delivery_id}/redeliver",
    permission=Action.TOPICS_REDELIVER,
    summary="Send a message once more, under the same id",
    answer=views.DeliveryView,
    status=202,
)
async def redeliver_to_topic(call: Call[None]) -> Reply:
    again = await call.request.app[TOPICS].redeliver(_topic_id(call), MessageId(call.path("delivery_id")))
    return Reply(views.delivery(again), status=202)


def _topic_id(call: Call[Any]) -> EndpointId:
    return EndpointId(call.path("topic_id"))
