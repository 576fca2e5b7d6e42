"""Where endpoints of topics confirm, leave, and find the certificate: their link proves who they are."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final
from xml.sax.saxutils import escape

from aiohttp import web

from controlplane.dialects.elastictranscoder.notifications import CERTIFICATE, PATH
from controlplane.http.answering import REQUEST_ID
from controlplane.http.connections import caller
from controlplane.http.finishing import to_its_end
from controlplane.http.keys import TOPIC_KEYS, TOPICS
from controlplane.services.acting import ACTING, Acting
from controlplane.services.topics import subscription_arn
from controlplane.store.records import Endpoint
from shared.errors import LinkRefused, NotFound

_NAMESPACE: Final = "http://sns.amazonaws.com/doc/2010-03-31/"


def routes() -> list[web.RouteDef]:
    return [
        web.get(PATH, visit, allow_head=False),
        web.get(f"{PATH}/{CERTIFICATE}{{name}}.pem", certificate),
    ]


async def visit(request: web.Request) -> web.Response:
    """What SubscribeURL and UnsubscribeURL lead to."""
    action, token = request.query.get("Action", ""), request.query.get("Token", "")
    topics = request.app[TOPICS]
    match action:
        case "ConfirmSubscription":
            topic = await to_its_end(_audited(request, "confirm_topic", topics.confirmed(token)))
        case "Unsubscribe":
            topic = await to_its_end(_audited(request, "leave_topic", topics.left(token)))
        case _:
            raise LinkRefused("This link is not one of ours.")
    return web.Response(body=_answer(request, action, topic).encode(), content_type="text/xml", charset="utf-8")


async def certificate(request: web.Request) -> web.Response:
    key = await request.app[TOPIC_KEYS].get()
    if request.match_info["name"] != key.name:
        raise NotFound("certificate")
    return web.Response(body=key.certificate, content_type="application/x-pem-file")


async def _audited(request: web.Request, action: str, visiting: Coroutine[Any, Any, Endpoint]) -> Endpoint:
    """An endpoint has no name but its topic's."""
    acting = Acting(
        user_id="endpoint",
        role="endpoint",
        tenant_id=None,
        address=caller(request),
        request_id=request[REQUEST_ID],
        action=action,
        objects=(),
        is_owed=True,
    )
    before = ACTING.set(acting)
    try:
        return await visiting
    finally:
        ACTING.reset(before)


def _answer(request: web.Request, action: str, topic: Endpoint) -> str:
    """As Amazon SNS answered."""
    named = f"<SubscriptionArn>{escape(subscription_arn(topic))}</SubscriptionArn>" if action != "Unsubscribe" else ""
    result = f"<{action}Result>{named}</{action}Result>" if named else ""
    request_id = f"<ResponseMetadata><RequestId>{request[REQUEST_ID]}</RequestId></ResponseMetadata>"
    return f'<{action}Response xmlns="{_NAMESPACE}">{result}{request_id}</{action}Response>\n'
