"""Who may call what: read off the routes themselves, so that a new one cannot be forgotten."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest

from controlplane.api.routing import Route, Routes
from controlplane.app import ROUTES
from controlplane.dialects import elastictranscoder
from controlplane.domain.permissions import GRANTS, Action
from tests.contract.api.service import Caller, Service, a_document

EVERY: list[Route] = [route for part in ROUTES for route in part.all]
PLACEHOLDER = re.compile(r"\{(\w+)(?::[^}]+)?\}")


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


def path_of(route: Route, **ids: str) -> str:
    return PLACEHOLDER.sub(lambda hole: ids.get(hole[1], "nothing"), route.path)


def without_request_id(content: bytes) -> bytes:
    return re.sub(rb'"request_id":"[^"]+"', b"", content)


@pytest.mark.parametrize("route", EVERY, ids=named)
def test_every_route_names_an_action_that_somebody_may_do(route: Route) -> None:
    assert any(route.permission in granted for granted in GRANTS.values())


@pytest.mark.parametrize("permission", [None, "", "jobs:create", "jobs:*"])
def test_a_route_without_a_permission_of_the_catalogue_cannot_be_made(permission: Any) -> None:
    with pytest.raises(TypeError):
        Routes("jobs").add("GET", "/v1/secrets", permission=permission, summary="Read secrets")
    with pytest.raises(TypeError):
        Routes("jobs").add("GET", "/v1/secrets", summary="Read secrets")  # type: ignore[call-arg]


def test_every_action_is_called_by_a_route() -> None:
    assert {route.permission for route in EVERY} == set(Action)


async def test_no_path_of_the_api_leads_around_the_routes(service: Service) -> None:
    """Agents have another credential, links and what endpoints of topics are sent are credentials, and the rest is for
    everybody."""
    documented = {(route.method, PLACEHOLDER.sub(r"{\1}", route.path)) for route in EVERY}
    others = {
        resource.canonical
        for resource in service.app.router.resources()
        for handler in resource
        if handler.method != "HEAD" and (handler.method, resource.canonical) not in documented
    }
    public = {"/openapi.json", "/docs", "/docs/errors/{name}", "/docs/{name}", "/healthz", "/readyz", "/metrics"}
    tickets = {"/sns", "/sns/SimpleNotificationService-{name}.pem"}
    assert {
        path for path in others if not path.startswith(("/agent/v1/", "/objects/", elastictranscoder.PREFIX))
    } == public | tickets


def test_no_two_routes_are_the_same() -> None:
    assert len({(route.method, route.path) for route in EVERY}) == len(EVERY)


async def test_every_route_asks_for_a_key_before_anything_else(service: Service, tenant: Caller) -> None:
    wrong = tenant.key[:-1] + ("0" if tenant.key[-1] != "0" else "1")
    forged = tenant.key.split("_")
    forged[2] = "0" * 64
    keys = [None, "", "x", wrong, "_".join(forged), "ü", "etk_ü_b_c", "etk__" + "9" * 5000, "\udcff"]
    for route, key in itertools.product(EVERY, keys[:2]):
        answer = await service.call(route.method, path_of(route), key=key, content=b"not even JSON")
        assert answer.fault == (401, "unauthenticated", None), named(route)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    for key in keys:
        assert (await service.call("GET", "/v1/jobs", key=key)).code == "unauthenticated"


async def test_other_schemes_are_no_credentials(service: Service, tenant: Caller) -> None:
    for header in (tenant.key, f"Basic {tenant.key}", f"Bearer{tenant.key}", "Bearer", "Bearer "):
        answer = await service.call("GET", "/v1/jobs", headers={"Authorization": header})
        assert answer.code == "unauthenticated"
    assert (await service.call("GET", "/v1/jobs", headers={"Authorization": f"bearer  {tenant.key} "})).status == 200


async def test_lists_hold_nothing_of_others(service: Service, tenant: Caller, pipeline: str) -> None:
    await tenant.submit(pipeline)
    stranger = await service.tenant("stranger")
    for path in ("/v1/jobs", "/v1/pipelines", "/v1/buckets", f"/v1/jobs?pipeline_id={pipeline}"):
        assert (await stranger.get(path)).json == {"items": [], "next_page_token": None}
    assert len((await stranger.get("/v1/keys")).json["items"]) == 1
    assert len((await stranger.get("/v1/users")).json["items"]) == 1


async def test_another_tenants_things_cannot_be_named_in_documents(
    service: Service, tenant: Caller, pipeline: str
) -> None:
    preset = await tenant.post("/v1/presets", {"name": "p", "settings": a_document("")["outputs"][0]["settings"]})
    stranger = await service.tenant("stranger")
    own = await stranger.pipeline()
    outputs = [{"key": "out.mp4", "preset_id": preset.json["id"]}]
    assert (await stranger.post("/v1/jobs", a_document(pipeline))).fault == (400, "invalid_field", "/pipeline_id")
    answer = await stranger.post("/v1/jobs", a_document(own, outputs=outputs))
    assert answer.fault == (400, "invalid_field", "/outputs/0/preset_id")
    await tenant.post("/v1/buckets", {"name": "private"})
    document = {"name": "p", "input_bucket": "bucket", "output_bucket": "private"}
    assert (await stranger.post("/v1/pipelines", document)).fault == (400, "invalid_field", "/output_bucket")


class TestKeys:
    async def test_a_revoked_key_is_refused_at_once(self, service: Service, tenant: Caller) -> None:
        made = (await tenant.post("/v1/keys", {"label": "second"})).json
        second = Caller(service, made["key"], tenant.tenant_id)
        assert (await second.get("/v1/jobs")).status == 200
        assert (await tenant.call("DELETE", f"/v1/keys/{made['id']}")).status == 204
        assert (await second.get("/v1/jobs")).code == "unauthenticated"
        assert (await tenant.call("DELETE", f"/v1/keys/{made['id']}")).code == "not_found"

    async def test_a_key_ends_with_its_time(self, service: Service, tenant: Caller) -> None:
        made = (await tenant.post("/v1/keys", {"expires_in": 60})).json
        short = Caller(service, made["key"], tenant.tenant_id)
        service.clock.pass_seconds(59.9)
        assert (await short.get("/v1/jobs")).status == 200
        service.clock.pass_seconds(0.1)
        assert (await short.get("/v1/jobs")).code == "unauthenticated"

    async def test_a_key_is_shown_once_and_its_secret_is_kept_nowhere(self, service: Service, tenant: Caller) -> None:
        made = (await tenant.post("/v1/keys", {"label": "second"})).json
        listed = (await tenant.get("/v1/keys")).content
        secret = made["key"].split("_")[2]
        assert secret.encode() not in listed
        assert all(secret.encode() not in file.read_bytes() for file in service.state.glob("transcoder.db*"))

    async def test_an_operator_makes_keys_for_tenants_that_exist(self, operator: Caller, tenant: Caller) -> None:
        made = await operator.post(f"/v1/tenants/{tenant.tenant_id}/keys", {"label": "given"})
        assert made.status == 201
        assert (await operator.service.call("GET", "/v1/jobs", key=made.json["key"])).status == 200
        assert (await operator.post("/v1/tenants/nobody/keys", {})).code == "not_found"
