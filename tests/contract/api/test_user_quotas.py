"""Limits of single users, as admins set them and users meet them."""

from __future__ import annotations

import asyncio

import pytest

from controlplane.domain.permissions import Role
from tests.contract.api.service import Answer, Caller, Node, Service, a_document
from tests.fields import shows

CALLERS = 16
LIMIT = 5


@pytest.fixture
async def anna(service: Service, tenant: Caller) -> Caller:
    return await service.user(tenant, "anna", role=Role.TENANT_USER)


async def limit(admin: Caller, user: Caller, **limits: int | None) -> Answer:
    answer = await admin.call("PUT", f"/v1/users/{user.user_id}/quotas", limits)
    assert answer.status == 200, answer.content
    return answer


async def test_an_admin_limits_a_user_who_reads_it_with_the_tenants(tenant: Caller, anna: Caller) -> None:
    limits = {"queued_jobs": {"limit": 2, "used": 0}, "running_jobs": {"limit": None, "used": 0}}
    assert (await limit(tenant, anna, queued_jobs=2)).json == limits
    assert (await anna.get("/v1/quotas")).json["user"] == limits
    assert (await tenant.get("/v1/quotas")).json["user"]["queued_jobs"]["limit"] is None
    assert (await tenant.get(f"/v1/users/{anna.user_id}/quotas")).json == limits


async def test_an_operator_limits_a_tenants_user_found_in_its_list(
    operator: Caller, tenant: Caller, anna: Caller
) -> None:
    users = f"/v1/tenants/{tenant.tenant_id}/users"
    assert anna.user_id in [user["id"] for user in (await operator.get(users)).json["items"]]
    put = await operator.call("PUT", f"{users}/{anna.user_id}/quotas", {"running_jobs": 3})
    assert put.json == (await operator.get(f"{users}/{anna.user_id}/quotas")).json
    assert (await anna.get("/v1/quotas")).json["user"]["running_jobs"] == {"limit": 3, "used": 0}


async def test_nobody_else_sets_limits(service: Service, operator: Caller, tenant: Caller, anna: Caller) -> None:
    path = f"/v1/users/{anna.user_id}/quotas"
    for caller in (anna, operator):
        assert (await caller.call("PUT", path, {})).code == "forbidden"
    assert (await (await service.tenant("stranger")).call("PUT", path, {})).code == "not_found"


async def test_whoever_asks_at_once_just_as_many_are_let_in_and_the_refusal_says_whose_limit_it_is(
    tenant: Caller, anna: Caller, pipeline: str
) -> None:
    await limit(tenant, anna, queued_jobs=LIMIT)
    answers = await asyncio.gather(*(anna.post("/v1/jobs", a_document(pipeline)) for _ in range(CALLERS)))
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) == CALLERS - LIMIT
    for answer in refused:
        assert answer.code == "too_many_queued"
        assert answer.json["detail"] == f"{LIMIT} jobs of this user wait, and no more than {LIMIT} may."
        assert int(answer.headers["Retry-After"]) > 0
    assert (await tenant.post("/v1/jobs", a_document(pipeline))).status == 201


@shows("waiting_because")
async def test_a_job_that_waits_for_its_users_limit_says_so_and_goes_on_when_it_is_raised(
    tenant: Caller, anna: Caller, pipeline: str, node: Node
) -> None:
    await limit(tenant, anna, running_jobs=1)
    await anna.submit(pipeline)
    waiting = await anna.submit(pipeline)
    await node.take()
    assert await node.orders(wait=0.05) == []
    assert (await anna.get(f"/v1/jobs/{waiting}")).json["waiting_because"]["code"] == "user_running_quota"
    poll = asyncio.create_task(node.start())
    await limit(tenant, anna, running_jobs=2)
    assert (await poll).job_id == waiting
