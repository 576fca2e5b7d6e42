"""Every route × every role × whose the thing is: generated from the routes themselves, so that no new one is left out.

What the caller's own tenant has is served, or forbidden; what another tenant has answers, byte for byte, as what never was.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from controlplane.api.routing import Route
from controlplane.app import ROUTES
from controlplane.domain.permissions import GRANTS, Role
from controlplane.http.calls import PLACEHOLDER
from tests.builders import mp4_settings
from tests.contract.api.service import Answer, Caller, Service, a_document

EVERY: list[Route] = [route for part in ROUTES for route in part.all]
TENANTS_ROLES = (Role.TENANT_ADMIN, Role.TENANT_USER, Role.READ_ONLY)
OWNERS = ("own", "another's", "missing")
NOWHERE = "http://127.0.0.1:1024/"
SYSTEM_PRESET = "1351620000001-000010"


class Matrix:
    """A caller of every role in one tenant, and an admin of another."""

    def __init__(self, service: Service, admin: Caller, operator: Caller, stranger: Caller) -> None:
        self.service = service
        self.admin = admin
        self.operator = operator
        self.stranger = stranger
        self.callers: dict[Role, Caller] = {}
        self.newest = admin
        """An admin of the tenant that was made last."""
        self.endpoint = ""
        """The path of the webhook or topic that was made last."""
        self._made = 0

    def name(self) -> str:
        self._made += 1
        return f"thing-{self._made}"

    async def path(self, route: Route, role: Role, owner: str) -> str:
        """Of a thing that was made for this cell, or that never was."""
        mine = self.operator if role is Role.OPERATOR and route.permission in GRANTS[role] else self.admin
        by, path = mine if owner == "own" else self.stranger, route.path
        for placeholder in PLACEHOLDER.findall(route.path):
            found = await THINGS[placeholder](self, by, route)
            path = PLACEHOLDER.sub(f"never-{found}" if owner == "missing" else found, path, count=1)
        return path

    async def document(self, route: Route) -> Any:
        if route.body is None:
            return None
        assert route.operation in DOCUMENTS, "say in DOCUMENTS what this route is sent"
        return await DOCUMENTS[route.operation](self)


async def a_job(matrix: Matrix, by: Caller, route: Route) -> str:
    return await by.submit(await by.pipeline(), start="manual" if route.path.endswith("/start") else "auto")


async def a_pipeline(_: Matrix, by: Caller, __: Route) -> str:
    return await by.pipeline()


async def a_preset(matrix: Matrix, by: Caller, __: Route) -> str:
    if by is matrix.operator:
        return SYSTEM_PRESET
    return id_of(await by.post("/v1/presets", {"name": "p", "settings": mp4_settings()}))


async def a_bucket(matrix: Matrix, by: Caller, route: Route) -> str:
    made = await by.post("/v1/buckets", {"name": matrix.name()})
    await by.upload("object", b"content", made.json["name"])
    return str(made.json["name"])


async def an_object(_: Matrix, __: Caller, ___: Route) -> str:
    return "object"


async def a_key(_: Matrix, by: Caller, __: Route) -> str:
    return id_of(await by.post("/v1/keys", {}))


async def a_user(matrix: Matrix, by: Caller, route: Route) -> str:
    if "{tenant_id}" in route.path:
        by = matrix.newest
    return id_of(await by.post("/v1/users", {"name": "u"}))


async def a_tenant(matrix: Matrix, _: Caller, __: Route) -> str:
    matrix.newest = await matrix.service.tenant(matrix.name())
    return str(matrix.newest.tenant_id)


async def a_cluster(matrix: Matrix, _: Caller, __: Route) -> str:
    return id_of(await matrix.operator.post("/v1/clusters", {"id": matrix.name()}))


async def a_node(matrix: Matrix, _: Caller, __: Route) -> str:
    return (await matrix.service.node()).id


async def a_webhook(matrix: Matrix, by: Caller, __: Route) -> str:
    webhook_id = id_of(await by.post("/v1/webhooks", {"url": NOWHERE}))
    matrix.endpoint = f"/v1/webhooks/{webhook_id}"
    assert (await by.post(f"{matrix.endpoint}/test")).status == 202
    return webhook_id


async def a_topic(matrix: Matrix, _: Caller, __: Route) -> str:
    topic_id = id_of(await matrix.operator.post("/v1/topics", await a_topic_document(matrix)))
    matrix.endpoint = f"/v1/topics/{topic_id}"
    return topic_id


async def a_delivery(matrix: Matrix, by: Caller, __: Route) -> str:
    whose = matrix.operator if "topics" in matrix.endpoint else by
    (made,) = (await whose.get(f"{matrix.endpoint}/deliveries")).json["items"]
    return str(made["id"])


THINGS: dict[str, Callable[[Matrix, Caller, Route], Awaitable[str]]] = {
    "job_id": a_job,
    "pipeline_id": a_pipeline,
    "preset_id": a_preset,
    "bucket": a_bucket,
    "key": an_object,
    "key_id": a_key,
    "user_id": a_user,
    "tenant_id": a_tenant,
    "cluster_id": a_cluster,
    "node_id": a_node,
    "webhook_id": a_webhook,
    "topic_id": a_topic,
    "delivery_id": a_delivery,
}
"""How what a path names is made; a new kind of thing needs one more."""


def sends(document: dict[str, Any]) -> Callable[[Matrix], Awaitable[Any]]:
    async def send(_: Matrix) -> Any:
        return document

    return send


async def a_job_document(matrix: Matrix) -> Any:
    return a_document(await matrix.admin.pipeline())


async def a_pipeline_document(matrix: Matrix) -> Any:
    await matrix.admin.pipeline()
    return {"name": "p", "input_bucket": "bucket", "output_bucket": "bucket"}


async def a_bucket_document(matrix: Matrix) -> Any:
    return {"name": matrix.name()}


async def a_cluster_document(matrix: Matrix) -> Any:
    return {"id": matrix.name()}


async def a_topic_document(matrix: Matrix) -> Any:
    arn = f"arn:aws:sns:eu-west-1:123456789012:{matrix.name()}"
    return {"arn": arn, "url": NOWHERE, "tenant_id": matrix.admin.tenant_id}


DOCUMENTS: dict[str, Callable[[Matrix], Awaitable[Any]]] = {
    "create_job": a_job_document,
    "retry_job": sends({}),
    "retry_failed_job": sends({"failed_since": "2025-11-01T00:00:00Z"}),
    "retry_failed_of_tenant": sends({"failed_since": "2025-11-01T00:00:00Z"}),
    "create_pipeline": a_pipeline_document,
    "update_pipeline": sends({"name": "changed"}),
    "create_preset": sends({"name": "p", "settings": mp4_settings()}),
    "create_bucket": a_bucket_document,
    "create_upload": sends({"key": "object"}),
    "create_link": sends({"key": "object"}),
    "create_user": sends({"name": "u"}),
    "update_user": sends({"name": "changed"}),
    "create_key": sends({}),
    "create_tenant": a_bucket_document,
    "update_tenant": sends({}),
    "create_tenant_key": sends({}),
    "set_quotas": sends({}),
    "repair_drift": sends({}),
    "set_user_quotas": sends({}),
    "set_quotas_of_tenants_user": sends({}),
    "create_cluster": a_cluster_document,
    "rename_cluster": sends({"name": "changed"}),
    "create_join_token": sends({}),
    "describe_node": sends({}),
    "create_webhook": sends({"url": NOWHERE}),
    "update_webhook": sends({"description": "changed"}),
    "rotate_webhook": sends({}),
    "create_topic": a_topic_document,
}


def id_of(answer: Answer) -> str:
    assert answer.status == 201, answer.content
    return str(answer.json["id"])


def comparable(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
    """All that may tell a caller something. Only the request's id and the state of its counter are its own."""
    told = {name.lower(): value for name, value in answer.headers.items()}
    for name in ("x-request-id", "date", "ratelimit-remaining", "ratelimit-reset"):
        told.pop(name, None)
    return answer.status, re.sub(rb'"request_id":"[^"]+"', b"", answer.content), told


def is_served(route: Route, answer: Answer) -> bool:
    return answer.status == route.status or (answer.status == 409 and answer.code in ("wrong_state", "in_use"))


@pytest.fixture
async def matrix(service: Service, tenant: Caller, operator: Caller) -> Matrix:
    matrix = Matrix(service, tenant, operator, await service.tenant("stranger"))
    matrix.callers = {role: await service.user(tenant, role, role=role) for role in TENANTS_ROLES}
    matrix.callers[Role.OPERATOR] = operator
    return matrix


@pytest.mark.parametrize("route", EVERY, ids=lambda route: f"{route.method} {route.path}")
async def test_every_route_for_every_role_and_owner(matrix: Matrix, route: Route) -> None:
    for role, caller in matrix.callers.items():
        answers = {
            owner: await caller.call(route.method, await matrix.path(route, role, owner), await matrix.document(route))
            for owner in owners(route, role)
        }
        cell = f"{role} {[(owner, answer.status, answer.content) for owner, answer in answers.items()]}"
        if not is_of_its_side(route, role):
            assert answers["own"].code == "forbidden", cell
            assert all(comparable(answer) == comparable(answers["own"]) for answer in answers.values()), cell
            continue
        if route.permission in GRANTS[role]:
            assert is_served(route, answers.pop("own")), cell
        else:
            assert answers.pop("own").fault == (403, "forbidden", None), cell
        assert all(answer.fault == (404, "not_found", None) for answer in answers.values()), cell
        assert all(comparable(answer) == comparable(answers["missing"]) for answer in answers.values()), cell


def owners(route: Route, role: Role) -> tuple[str, ...]:
    """What is nobody's in particular is everybody's own, and the operators' things are all operators'."""
    if not PLACEHOLDER.search(route.path):
        return ("own",)
    shares = role is Role.OPERATOR and route.permission in GRANTS[role] and not route.path.startswith(TENANTS_THINGS)
    return ("own", "missing") if shares else OWNERS


TENANTS_THINGS = ("/v1/keys", "/v1/users", "/v1/presets")
"""Where both sides have things of their own under the same path."""


def is_of_its_side(route: Route, role: Role) -> bool:
    """Operators have no jobs to be forbidden, tenants no nodes."""
    roles = (Role.OPERATOR,) if role is Role.OPERATOR else TENANTS_ROLES
    return any(route.permission in GRANTS[one] for one in roles)


def test_things_and_documents_are_those_of_the_routes() -> None:
    assert {name for route in EVERY for name in PLACEHOLDER.findall(route.path)} == set(THINGS)
    assert {route.operation for route in EVERY if route.body} == set(DOCUMENTS)
