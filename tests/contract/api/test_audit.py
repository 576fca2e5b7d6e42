"""The audit log as callers leave it and read it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from controlplane.api.routing import Route
from controlplane.app import ROUTES
from controlplane.domain.permissions import GRANTS, Role
from controlplane.http.calls import PLACEHOLDER
from controlplane.services.audit import verify
from controlplane.store.operations import audit
from controlplane.store.sqlite import SqliteStore
from shared.protocol import DrainingRequest
from tests.builders import mp4_settings
from tests.contract.api.service import CLUSTER, Answer, Caller, Node, Service, a_document, serving

EVERY: list[Route] = [route for part in ROUTES for route in part.all]


ARN = "arn:aws:sns:eu-west-1:123456789012:finished"
NOWHERE = "http://127.0.0.1:1024/"


class Audited:
    """Somebody for every call, and what their calls need beforehand."""

    def __init__(self, service: Service, tenant: Caller, operator: Caller, node: Node) -> None:
        self.service, self.tenant, self.operator, self.node = service, tenant, operator, node

    async def rows(self) -> list[audit.Deed]:
        wanted = dict.fromkeys(("tenant_id", "user_id", "action", "object"))
        return await self.service.store.read(audit.page(wanted, before=10_000, size=1000))

    async def held_job(self) -> str:
        return await self.tenant.submit(await self.tenant.pipeline(), start="manual")

    async def running_job(self) -> str:
        job_id = await self.tenant.submit(await self.tenant.pipeline())
        await self.node.take()
        return job_id

    async def preset(self) -> str:
        made = await self.tenant.post("/v1/presets", {"name": "p", "settings": mp4_settings()})
        preset_id: str = made.json["id"]
        return preset_id

    async def key(self) -> str:
        key_id: str = (await self.tenant.post("/v1/keys", {})).json["id"]
        return key_id

    async def empty_cluster(self) -> str:
        await self.operator.post("/v1/clusters", {"id": "empty"})
        return "empty"

    async def webhook(self) -> str:
        webhook_id: str = (await self.tenant.post("/v1/webhooks", {"url": NOWHERE})).json["id"]
        return webhook_id

    async def delivery(self) -> str:
        """The rest of its path."""
        webhook_id = await self.webhook()
        return f"{webhook_id}/deliveries/{(await self.tenant.post(f'/v1/webhooks/{webhook_id}/test')).json['id']}"

    async def topic(self) -> str:
        document = {"arn": ARN, "url": NOWHERE, "tenant_id": self.tenant.tenant_id}
        topic_id: str = (await self.operator.post("/v1/topics", document)).json["id"]
        return topic_id

    async def topics_delivery(self) -> str:
        topic_id = await self.topic()
        (made,) = (await self.operator.get(f"/v1/topics/{topic_id}/deliveries")).json["items"]
        return f"{topic_id}/deliveries/{made['id']}"

    async def stored(self, key: str) -> str:
        await self.tenant.pipeline()
        await self.tenant.upload(key, b"x")
        return key


Deed = tuple[str, str, Any]
DEEDS: dict[str, Callable[[Audited], Awaitable[Deed]]] = {}
"""How each call that changes something is made: role, path, document. A new route needs one more."""


def deed(operation: str) -> Callable[[Callable[[Audited], Awaitable[Deed]]], None]:
    def keep(make: Callable[[Audited], Awaitable[Deed]]) -> None:
        DEEDS[operation] = make

    return keep


def simply(operation: str, role: str, path: str, document: Any = None) -> None:
    async def make(_: Audited) -> Deed:
        return role, path, document

    DEEDS[operation] = make


def after(
    operation: str, role: str, path: str, need: Callable[[Audited], Awaitable[str]], document: Any = None
) -> None:
    """`path` and what must be there before: its id fills the path."""

    async def make(world: Audited) -> Deed:
        return role, path.format(await need(world)), document

    DEEDS[operation] = make


async def a_pipeline(world: Audited) -> str:
    return await world.tenant.pipeline()


async def a_node(world: Audited) -> str:
    return world.node.id


async def a_tenant(world: Audited) -> str:
    return str(world.tenant.tenant_id)


async def a_user(world: Audited) -> str:
    user_id = (await world.service.user(world.tenant)).user_id
    assert user_id is not None
    return user_id


async def a_users_path(world: Audited) -> str:
    return f"{world.tenant.tenant_id}/users/{await a_user(world)}"


async def an_object(world: Audited) -> str:
    return await world.stored("in/film.mp4")


@deed("reveal_job")
async def _(world: Audited) -> Deed:
    return "tenant", f"/v1/jobs/{await world.held_job()}/reveal", None


@deed("create_job")
async def _(world: Audited) -> Deed:
    return "tenant", "/v1/jobs", a_document(await world.tenant.pipeline())


@deed("retry_job")
async def _(world: Audited) -> Deed:
    job_id = await world.held_job()
    await world.tenant.post(f"/v1/jobs/{job_id}/cancel")
    return "tenant", f"/v1/jobs/{job_id}/retry", None


@deed("create_pipeline")
async def _(world: Audited) -> Deed:
    await world.tenant.pipeline("b")
    return "tenant", "/v1/pipelines", {"name": "p", "input_bucket": "b", "output_bucket": "b"}


@deed("delete_bucket")
async def _(world: Audited) -> Deed:
    await world.tenant.post("/v1/buckets", {"name": "spare"})
    return "tenant", "/v1/buckets/spare", None


@deed("create_link")
async def _(world: Audited) -> Deed:
    return "tenant", "/v1/buckets/bucket/links", {"key": await world.stored("in/film.mp4")}


@deed("create_upload")
async def _(world: Audited) -> Deed:
    await world.tenant.pipeline()
    return "tenant", "/v1/buckets/bucket/uploads", {"key": "in/film.mp4"}


@deed("create_topic")
async def _(world: Audited) -> Deed:
    return "operator", "/v1/topics", {"arn": ARN, "url": NOWHERE, "tenant_id": world.tenant.tenant_id}


after("cancel_job", "tenant", "/v1/jobs/{}/cancel", Audited.held_job)
after("start_job", "tenant", "/v1/jobs/{}/start", Audited.held_job)
after("stop_job", "tenant", "/v1/jobs/{}/stop", Audited.running_job)
after("update_pipeline", "tenant", "/v1/pipelines/{}", a_pipeline, {"name": "other"})
after("delete_pipeline", "tenant", "/v1/pipelines/{}", a_pipeline)
after("pause_pipeline", "tenant", "/v1/pipelines/{}/pause", a_pipeline)
after("resume_pipeline", "tenant", "/v1/pipelines/{}/resume", a_pipeline)
simply("retry_failed_job", "tenant", "/v1/jobs/retry", {"failed_since": "2026-01-01T00:00:00Z"})
after(
    "retry_failed_of_tenant",
    "operator",
    "/v1/tenants/{}/jobs/retry",
    a_tenant,
    {"failed_since": "2026-01-01T00:00:00Z"},
)
simply("repair_drift", "operator", "/v1/drift/repair", {})
simply("create_preset", "tenant", "/v1/presets", {"name": "p", "settings": mp4_settings()})
after("delete_preset", "tenant", "/v1/presets/{}", Audited.preset)
simply("create_bucket", "tenant", "/v1/buckets", {"name": "new"})
after("delete_object", "tenant", "/v1/buckets/bucket/objects/{}", an_object)
simply("create_key", "tenant", "/v1/keys", {})
simply("create_user", "tenant", "/v1/users", {"name": "u"})
after("update_user", "tenant", "/v1/users/{}", a_user, {"name": "v"})
after("delete_user", "tenant", "/v1/users/{}", a_user)
after("revoke_key", "tenant", "/v1/keys/{}", Audited.key)
simply("create_tenant", "operator", "/v1/tenants", {"name": "other"})
after("update_tenant", "operator", "/v1/tenants/{}", a_tenant, {"rates": {"list": 60}})
after("suspend_tenant", "operator", "/v1/tenants/{}/suspend", a_tenant)
after("resume_tenant", "operator", "/v1/tenants/{}/resume", a_tenant)
after("set_quotas", "operator", "/v1/tenants/{}/quotas", a_tenant, {})
after("set_user_quotas", "tenant", "/v1/users/{}/quotas", a_user, {})
after("set_quotas_of_tenants_user", "operator", "/v1/tenants/{}/quotas", a_users_path, {})
after("create_tenant_key", "operator", "/v1/tenants/{}/keys", a_tenant, {})
simply("create_cluster", "operator", "/v1/clusters", {"id": "london-1"})
simply("rename_cluster", "operator", f"/v1/clusters/{CLUSTER}", {"name": "other"})
after("delete_cluster", "operator", "/v1/clusters/{}", Audited.empty_cluster)
simply("pause_cluster", "operator", f"/v1/clusters/{CLUSTER}/pause")
simply("resume_cluster", "operator", f"/v1/clusters/{CLUSTER}/resume")
simply("create_join_token", "operator", f"/v1/clusters/{CLUSTER}/join-tokens", {})
after("drain_node", "operator", "/v1/nodes/{}/drain", a_node)
after("resume_node", "operator", "/v1/nodes/{}/resume", a_node)
after("describe_node", "operator", "/v1/nodes/{}", a_node, {"name": "other"})
after("reprobe_node", "operator", "/v1/nodes/{}/reprobe", a_node)
simply("create_webhook", "tenant", "/v1/webhooks", {"url": NOWHERE})
after("update_webhook", "tenant", "/v1/webhooks/{}", Audited.webhook, {"status": "Disabled"})
after("delete_webhook", "tenant", "/v1/webhooks/{}", Audited.webhook)
after("rotate_webhook", "tenant", "/v1/webhooks/{}/rotate", Audited.webhook, {})
after("test_webhook", "tenant", "/v1/webhooks/{}/test", Audited.webhook)
after("redeliver_to_webhook", "tenant", "/v1/webhooks/{}/redeliver", Audited.delivery)
after("delete_topic", "operator", "/v1/topics/{}", Audited.topic)
after("confirm_topic", "operator", "/v1/topics/{}/confirm", Audited.topic)
after("ask_topic", "operator", "/v1/topics/{}/ask", Audited.topic)
after("redeliver_to_topic", "operator", "/v1/topics/{}/redeliver", Audited.topics_delivery)
after("revoke_node", "operator", "/v1/nodes/{}", a_node)


@pytest.fixture
async def world(service: Service, tenant: Caller, operator: Caller, node: Node) -> Audited:
    return Audited(service, tenant, operator, node)


def named(route: Route) -> str:
    return route.operation


@pytest.mark.parametrize("route", [route for route in EVERY if route.changes], ids=named)
async def test_a_call_that_changes_something_leaves_just_one_row(world: Audited, route: Route) -> None:
    assert route.operation in DEEDS, "say in DEEDS how this call is made"
    role, path, document = await DEEDS[route.operation](world)
    caller = world.operator if role == "operator" else world.tenant
    before = await world.rows()
    answer = await caller.call(route.method, path, document)
    assert answer.status == route.status, answer.content
    new = [row for row in await world.rows() if row not in before]
    assert [(row.action, row.role, row.address, row.request_id) for row in new] == [
        (
            route.operation,
            "operator" if role == "operator" else "tenant_admin",
            "127.0.0.1",
            answer.headers["X-Request-Id"],
        )
    ]
    (row,) = new
    if role == "tenant":
        assert row.tenant_id == world.tenant.tenant_id
    if answer.content and "id" in answer.json:
        assert answer.json["id"] in row.object.split("/")


@pytest.mark.parametrize("route", [route for route in EVERY if route.changes], ids=named)
async def test_a_call_that_is_refused_leaves_none(world: Audited, route: Route) -> None:
    path = route.path.replace("{key:.+}", "{key}")
    path = PLACEHOLDER.sub("nothing", path)
    before = await world.rows()
    for caller in (world.tenant, world.operator):
        if "{" not in route.path:
            answer = await caller.call(route.method, path, {"nothing": "of the kind"} if route.body else None)
        else:
            answer = await caller.call(route.method, path, {} if route.body else None)
        assert answer.status >= 400, answer.content
    assert await world.rows() == before


async def test_operators_looks_at_what_is_tenants_leave_a_row_and_tenants_own_none(world: Audited) -> None:
    before = len(await world.rows())
    for path in ("/v1/tenants", f"/v1/tenants/{world.tenant.tenant_id}", "/v1/audit"):
        assert (await world.operator.get(path)).status == 200
    looks = [(row.action, row.tenant_id) for row in await world.rows()][: len(await world.rows()) - before]
    assert looks == [("list_audit", None), ("read_tenant", world.tenant.tenant_id), ("list_tenants", None)]
    for path in ("/v1/jobs", "/v1/pipelines", "/v1/keys"):
        await world.tenant.get(path)
    for path in ("/v1/nodes", "/v1/clusters"):
        await world.operator.get(path)
    assert len(await world.rows()) == before + 3
    assert (await world.operator.get("/v1/tenants/nobody")).status == 404
    assert len(await world.rows()) == before + 3


async def test_every_look_that_operators_may_take_is_audited_or_known_to_be_none_at_tenants() -> None:
    looks = [route for route in EVERY if not route.changes and route.permission in GRANTS[Role.OPERATOR]]
    unaudited = {route.operation for route in looks if not route.is_audited(Role.OPERATOR)}
    own = {"list_clusters", "list_nodes", "list_presets", "node_events", "read_cluster", "read_node", "read_preset"}
    assert unaudited == own, "say that it shows nothing of tenants', or in OPERATORS_OWN that it does"


async def test_a_replay_is_a_call_like_any_other(world: Audited) -> None:
    document = a_document(await world.tenant.pipeline(), client_request_token="t")
    before = len(await world.rows())
    for _ in range(2):
        await world.tenant.post("/v1/jobs", document)
    assert [row.action for row in await world.rows()][:2] == ["create_job"] * 2
    assert len(await world.rows()) == before + 2


async def test_what_agents_do_leaves_no_row(world: Audited) -> None:
    await world.tenant.submit(await world.tenant.pipeline())
    before = await world.rows()
    order = await world.node.take()
    await world.node.beat(order.ref)
    assert await world.rows() == before


async def test_what_the_owner_of_a_node_does_leaves_one_row_each(world: Audited) -> None:
    before = await world.rows()
    for draining in (True, False):
        assert (await world.node.say("draining", DrainingRequest(draining=draining))).status == 200
    new = [row for row in await world.rows() if row not in before]
    assert [(row.action, row.role, row.user_id, row.object) for row in new] == [
        ("resume_node", "node", world.node.id, world.node.id),
        ("drain_node", "node", world.node.id, world.node.id),
    ]


async def test_tenants_see_what_was_done_to_them_by_whomever(world: Audited) -> None:
    await world.operator.post(f"/v1/tenants/{world.tenant.tenant_id}/keys", {})
    other = await world.service.tenant("other")
    await other.pipeline()
    seen = (await world.tenant.get("/v1/audit")).json["items"]
    assert {item["tenant_id"] for item in seen} == {world.tenant.tenant_id}
    assert ("create_tenant_key", "operator") in {(item["action"], item["role"]) for item in seen}
    assert (await world.tenant.get(f"/v1/audit?tenant_id={other.tenant_id}")).code == "forbidden"


async def test_pages_go_through_the_log_newest_first_and_filters_narrow_it(world: Audited) -> None:
    for number in range(7):
        await world.tenant.post("/v1/buckets", {"name": f"bucket-{number}"})
    seen: list[str] = []
    answer = await walked(world, "?action=create_bucket&page_size=3", seen)
    assert seen == [f"bucket-{number}" for number in reversed(range(7))]
    assert answer.json["next_page_token"] is None
    seen.clear()
    await walked(world, f"?action=create_bucket&object=bucket-4&tenant_id={world.tenant.tenant_id}", seen)
    assert seen == ["bucket-4"]


async def test_a_page_ends_where_it_has_looked_at_enough(world: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.tenant.post("/v1/buckets", {"name": "first"})
    for _ in range(12):
        await world.tenant.post("/v1/keys", {})
    monkeypatch.setattr(audit, "SCANNED", 4)
    seen: list[str] = []
    first = await world.operator.get("/v1/audit?action=create_bucket")
    assert first.json["items"] == []
    await walked(world, "?action=create_bucket", seen)
    assert seen == ["first"]


async def walked(world: Audited, query: str, seen: list[str]) -> Answer:
    token = ""
    while True:
        answer = await world.operator.get(f"/v1/audit{query}{token}")
        assert answer.status == 200, answer.content
        seen += [item["object"] for item in answer.json["items"]]
        if answer.json["next_page_token"] is None:
            return answer
        token = f"&page_token={answer.json['next_page_token']}"


async def test_behind_a_proxy_the_address_is_the_one_that_the_proxy_tells(tmp_path: Path) -> None:
    async with serving(tmp_path / "state", behind_proxy=True) as service:
        tenant = await service.tenant()
        for number, told in enumerate(("192.0.2.7", "198.51.100.1, 192.0.2.8")):
            headers = {"X-Forwarded-For": told}
            await tenant.post("/v1/buckets", {"name": f"bucket-{number}"}, headers=headers)
        seen = (await tenant.get("/v1/audit")).json["items"]
    assert [item["address"] for item in seen] == ["192.0.2.8", "192.0.2.7"]


async def test_what_was_done_until_the_service_stopped_is_sealed(tmp_path: Path) -> None:
    async with serving(tmp_path / "state") as service:
        tenant = await service.tenant()
        for number in range(5):
            await tenant.post("/v1/buckets", {"name": f"bucket-{number}"})
    store = SqliteStore(tmp_path / "state" / "transcoder.db")
    found = await verify(store)
    await store.close()
    assert (found.rows, found.unsealed, found.faults) == (5, 0, ())


async def test_the_sealer_wakes_when_something_was_done(tmp_path: Path) -> None:
    async with serving(tmp_path / "state", seal_interval=0.001) as service, asyncio.timeout(5):
        tenant = await service.tenant()
        await tenant.post("/v1/buckets", {"name": "bucket"})
        while (await verify(service.store)).unsealed:
            await tenant.get("/v1/buckets")
