"""What needs no key: the API's own description, its browser, and how the service is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from controlplane.api.views import JobView
from controlplane.app import ROUTES
from controlplane.domain.permissions import GRANTS, Role
from controlplane.http.calls import PLACEHOLDER
from controlplane.store.operations import granting
from shared.errors import ErrorCode, Unavailable
from tests.builders import MP4_PRESET
from tests.contract.api.service import Caller, Node, Service, a_document


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        for value in document.values():
            yield from references(value)
    elif isinstance(document, list):
        for value in document:
            yield from references(value)


@pytest.fixture
async def openapi(service: Service) -> Any:
    return (await service.call("GET", "/openapi.json")).json


NOWHERE = "http://127.0.0.1:1024/"


class TestDescription:
    async def test_every_reference_leads_somewhere(self, openapi: Any) -> None:
        found = set(references(openapi))
        assert found
        for reference in found:
            place = openapi
            for part in reference.removeprefix("#/").split("/"):
                place = place[part]

    async def test_every_route_is_described_once_and_by_a_name_of_its_own(self, openapi: Any) -> None:
        described = {(method.upper(), path) for path, methods in openapi["paths"].items() for method in methods}
        routes = {
            (route.method, re.sub(r"\{(\w+):[^}]+\}", r"{\1}", route.path)) for part in ROUTES for route in part.all
        }
        assert described == routes
        names = [operation["operationId"] for methods in openapi["paths"].values() for operation in methods.values()]
        assert len(names) == len(set(names))

    async def test_every_parameter_of_a_path_is_described(self, openapi: Any) -> None:
        for path, methods in openapi["paths"].items():
            for operation in methods.values():
                told = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
                assert told == set(re.findall(r"\{(\w+)\}", path))

    async def test_the_document_is_openapi_and_needs_a_key(self, openapi: Any) -> None:
        assert openapi["openapi"].startswith("3.1")
        assert openapi["security"] == [{"key": []}]
        assert set(openapi) <= {"openapi", "info", "paths", "components", "security"}
        assert set(openapi["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]) == set(ErrorCode)

    async def test_every_answer_is_of_the_model_that_is_described(
        self, service: Service, tenant: Caller, operator: Caller, node: Node
    ) -> None:
        """Strictly: nothing missing, and nothing more than is told."""
        pipeline = await tenant.pipeline()
        job_id = await tenant.submit(pipeline)
        await tenant.upload("object", b"content")
        topic = {"arn": "arn:aws:sns:eu-west-1:123456789012:films", "url": NOWHERE, "tenant_id": tenant.tenant_id}
        ids = {
            "job_id": job_id,
            "pipeline_id": pipeline,
            "preset_id": MP4_PRESET,
            "bucket": "bucket",
            "tenant_id": str(tenant.tenant_id),
            "cluster_id": "paris-1",
            "node_id": node.id,
            "webhook_id": (await tenant.post("/v1/webhooks", {"url": NOWHERE})).json["id"],
            "topic_id": (await operator.post("/v1/topics", topic)).json["id"],
        }
        tested = await tenant.post(f"/v1/webhooks/{ids['webhook_id']}/test")
        ids["delivery_id"] = tested.json["id"]
        tried = 0
        for route in (route for part in ROUTES for route in part.all):
            if route.method != "GET" or route.answer is None:
                continue
            for caller, role in ((tenant, Role.TENANT_ADMIN), (operator, Role.OPERATOR)):
                if route.permission in GRANTS[role]:
                    among = tenant if "{tenant_id}" in route.path else caller
                    own = ids | {"user_id": (await among.get("/v1/users")).json["items"][0]["id"]}
                    path = PLACEHOLDER.sub(lambda hole, own=own: own[hole[1]], route.path)
                    answer = await caller.get(path)
                    assert answer.status == route.status, route.path
                    is_of(route.answer, answer)
                    tried += 1
        assert tried > 12
        made = await tenant.post("/v1/jobs", a_document(pipeline))
        is_of(JobView, made)


def is_of(model: type[BaseModel], answer: Any) -> None:
    read = model.model_validate_json(answer.content)
    assert set(answer.json) <= set(read.model_dump())
    again = model.model_validate_json(read.model_dump_json())
    assert again == read


class TestDocs:
    async def test_the_browser_asks_nobody_else(self, service: Service) -> None:
        page = await service.call("GET", "/docs")
        assert page.headers["Content-Type"].startswith("text/html")
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
        assert b"http://" not in page.content
        assert b"https://" not in page.content
        for asset in re.findall(rb'(?:src|href)="([^"]+)"', page.content):
            answer = await service.call("GET", asset.decode())
            assert (answer.status, len(answer.content) > 20) == (200, True)

    @pytest.mark.parametrize("code", ErrorCode)
    async def test_the_type_of_every_problem_is_a_page(self, service: Service, code: ErrorCode) -> None:
        page = await service.call("GET", f"/docs/errors/{code.replace('_', '-')}")
        assert page.status == 200
        assert str(code).encode() in page.content

    async def test_other_pages_are_not_there(self, service: Service) -> None:
        for path in ("/docs/none", "/docs/errors/none", "/docs/..%2f__init__.py", "/docs/%2e%2e%2fopenapi.py", "/"):
            assert (await service.call("GET", path)).code == "not_found"


class TestHealth:
    async def test_it_lives_and_is_ready(self, service: Service) -> None:
        assert (await service.call("GET", "/healthz")).json == {"status": "alive"}
        assert (await service.call("GET", "/readyz")).json == {"status": "ready"}

    async def test_it_is_not_ready_without_its_database_and_lives_on(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(_: object) -> None:
            raise Unavailable("The database refused.")

        monkeypatch.setattr(service.store, "read", away)
        assert (await service.call("GET", "/readyz")).status == 503
        assert (await service.call("GET", "/healthz")).status == 200

    async def test_it_is_not_ready_while_it_stops(self, service: Service) -> None:
        await service.app.shutdown()
        assert (await service.call("GET", "/readyz")).status == 503

    async def test_figures_tell_what_waits_and_for_how_long(
        self, service: Service, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        await tenant.submit(pipeline)
        await node.take()
        await tenant.submit(pipeline)
        service.clock.pass_seconds(30)
        text = (await service.call("GET", "/metrics")).content.decode()
        figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        assert float(figures["transcoder_tasks_queued"]) == 1
        assert float(figures["transcoder_tasks_running"]) == 1
        assert float(figures["transcoder_queue_age_seconds"]) == 30
        assert float(figures["transcoder_nodes"]) == 1


async def test_a_poll_that_is_held_gets_what_no_earlier_round_looked_at(
    service: Service, operator: Caller, tenant: Caller, pipeline: str, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nothing happens meanwhile: each round looks at other lanes of a tenant that has very many."""
    monkeypatch.setattr("controlplane.store.operations.granting.LANES_OF_A_TENANT", 2)
    monkeypatch.setattr("controlplane.services.dispatch.REST_OF_LANES_SECONDS", 0.01)
    for number in range(8):
        await tenant.submit(pipeline, placement={"labels": {"disk": str(number)}})
    fitting = await tenant.submit(pipeline)
    for number in range(8, 16):
        await tenant.submit(pipeline, placement={"labels": {"disk": str(number)}})
    assert (await node.start(wait=20.0)).job_id == fitting


async def test_a_moment_without_the_database_ends_neither_the_service_nor_its_polls(
    service: Service, tenant: Caller, pipeline: str, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlplane.services.dispatch.RETRY_SECONDS", 0.05)
    write = service.store.write_together
    refused: list[granting.Round] = []

    async def away_once(together: Any, item: Any, *rest: Any, **told: Any) -> Any:
        if together is granting.rounds and not refused:
            refused.append(item)
            raise Unavailable("The database refused.")
        return await write(together, item, *rest, **told)

    monkeypatch.setattr(service.store, "write_together", away_once)
    await tenant.submit(pipeline)
    assert (await node.start()).ref.attempt == 1
    assert refused
