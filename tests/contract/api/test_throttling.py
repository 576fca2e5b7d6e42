"""How often a caller may call: told in headers, refused in time, changed while the service runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from controlplane.app import ROUTES
from controlplane.storage.files import FileBucket, ObjectInfo
from shared.protocol import EnrolRequest
from tests.contract.api.service import Answer, Caller, Node, Service, a_document, serving

BURST = 10


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Ten calls a second of each kind, and five cancels."""
    rates = {"requests_per_minute": 600, "cancels_per_minute": 300, "failures_per_minute": 300}
    async with serving(tmp_path / "state", **rates) as service:
        yield service


async def admitted(call: Callable[[], Awaitable[Answer]], most: int = 100) -> int:
    """How many calls are let in before one is refused."""
    for count in range(most):
        answer = await call()
        if answer.status == 429:
            assert answer.code == "throttled"
            return count
    raise AssertionError(f"{most} calls were let in")


async def test_a_burst_is_a_seconds_worth_and_then_calls_wait(service: Service, tenant: Caller) -> None:
    assert await admitted(lambda: tenant.get("/v1/jobs")) == BURST
    service.clock.pass_seconds(0.1)
    assert await admitted(lambda: tenant.get("/v1/jobs")) == 1
    service.clock.pass_seconds(3600)
    assert await admitted(lambda: tenant.get("/v1/jobs")) == BURST


async def test_a_call_that_takes_much_work_counts_as_several(service: Service, tenant: Caller, pipeline: str) -> None:
    """Refused or not; everybody waits while it is done."""
    service.clock.work_per_look = 0.016
    for path, status in (("/v1/jobs", 200), ("/v1/jobs/never", 404)):
        service.clock.pass_seconds(10)
        answer = await tenant.get(path)
        assert (answer.status, answer.headers["RateLimit-Remaining"]) == (status, str(BURST - 4))


async def test_a_burst_of_long_looks_is_worked_at_in_turns_and_others_are_answered_meanwhile(
    service: Service, operator: Caller, tenant: Caller
) -> None:
    stranger = await service.tenant("stranger")
    await operator.call("PATCH", f"/v1/tenants/{tenant.tenant_id}", {"rates": {"list": 600_000}})
    service.clock.work_per_look = 0.5
    looks = [asyncio.create_task(tenant.get("/v1/jobs")) for _ in range(5)]
    await asyncio.wait(looks, return_when=asyncio.FIRST_COMPLETED)
    assert (await stranger.post("/v1/buckets", {"name": "new"})).status == 201
    assert (await stranger.get("/v1/buckets")).status == 200
    assert not all(look.done() for look in looks)
    for look in looks:
        look.cancel()
    await asyncio.gather(*looks, return_exceptions=True)


async def test_users_do_not_multiply_what_their_tenant_may(service: Service, tenant: Caller) -> None:
    """Ten calls a second of five kinds, and five cancels."""
    users = []
    for _ in range(8):
        users.append(await service.user(tenant))
        service.clock.pass_seconds(10)
    let_in = [await admitted(lambda user=user: user.get("/v1/jobs")) for user in users]  # type: ignore[misc]
    assert 50 < sum(let_in) <= 55
    answer = await users[-1].get("/v1/quotas")
    assert (answer.status, answer.code) == (429, "throttled")
    assert (await (await service.tenant("other")).get("/v1/quotas")).status == 200


async def test_lists_of_many_objects_are_made_one_after_the_other_and_count_as_several(
    service: Service, tenant: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory of very many files would keep all threads busy, and the loop from its turn."""
    loop, at_once = asyncio.get_running_loop(), [0]

    async def others_have_a_turn() -> None:
        for _ in range(100):
            await asyncio.sleep(0)

    def keys(*_: object) -> list[ObjectInfo]:
        at_once.append(at_once[-1] + 1)
        asyncio.run_coroutine_threadsafe(others_have_a_turn(), loop).result(30)
        at_once.append(at_once[-1] - 1)
        service.clock.work(0.011)
        return []

    await tenant.post("/v1/buckets", {"name": "many"})
    monkeypatch.setattr(FileBucket, "keys", keys)
    answers = await asyncio.gather(*(tenant.get("/v1/buckets/many/objects") for _ in range(3)))
    assert [answer.status for answer in answers] == [200] * 3
    assert max(at_once) == 1
    assert min(int(answer.headers["RateLimit-Remaining"]) for answer in answers) <= BURST - 9


async def test_every_answer_tells_how_the_caller_stands(service: Service, tenant: Caller) -> None:
    stands = []
    for _ in range(BURST + 1):
        answer = await tenant.get("/v1/jobs")
        stands.append([answer.headers[f"RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")])
    assert stands == [["10", str(left), "1"] for left in (*range(9, -1, -1), 0)]
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "1"
    assert 0 < answer.json["retry_after"] <= 0.1
    service.clock.pass_seconds(answer.json["retry_after"])
    assert (await tenant.get("/v1/jobs")).status == 200


async def test_refusals_and_streams_tell_it_too(service: Service, tenant: Caller, pipeline: str) -> None:
    job_id = await tenant.submit(pipeline)
    await tenant.post(f"/v1/jobs/{job_id}/cancel")
    missing = await tenant.get("/v1/jobs/never")
    malformed = await tenant.post("/v1/jobs", {"unknown": 1})
    forbidden = await tenant.get("/v1/nodes")
    stream = await tenant.get(f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"})
    assert [answer.status for answer in (missing, malformed, forbidden, stream)] == [404, 400, 403, 200]
    assert all("RateLimit-Remaining" in answer.headers for answer in (missing, malformed, forbidden, stream))


async def test_kinds_of_operations_are_counted_apart(tenant: Caller, pipeline: str) -> None:
    held = [await tenant.submit(pipeline, start="manual") for _ in range(3)]
    assert await admitted(lambda: tenant.get("/v1/jobs")) == BURST
    assert await admitted(lambda: tenant.get(f"/v1/jobs/{held[0]}")) == BURST
    assert await admitted(lambda: tenant.post(f"/v1/jobs/{held[0]}/start")) == BURST
    assert await admitted(lambda: tenant.post(f"/v1/jobs/{held[0]}/stop")) == BURST
    assert await admitted(lambda: tenant.post(f"/v1/jobs/{held[1]}/cancel")) == 5


async def test_users_are_counted_apart_but_a_tenants_cancels_together(
    service: Service, operator: Caller, tenant: Caller, pipeline: str
) -> None:
    another = await service.user(tenant, "another")
    assert await admitted(lambda: tenant.get("/v1/jobs")) == BURST
    assert await admitted(lambda: another.get("/v1/jobs")) == BURST
    job_id = await tenant.submit(pipeline)
    assert await admitted(lambda: tenant.post(f"/v1/jobs/{job_id}/cancel")) == 5
    assert await admitted(lambda: another.post(f"/v1/jobs/{job_id}/cancel")) == 0
    stranger = await service.tenant("stranger")
    assert await admitted(lambda: stranger.post(f"/v1/jobs/{job_id}/cancel")) == 5


async def test_two_keys_of_a_user_share_its_rate(service: Service, tenant: Caller) -> None:
    second = Caller(service, (await tenant.post("/v1/keys", {})).json["key"], tenant.tenant_id)
    assert await admitted(lambda: tenant.get("/v1/jobs")) == BURST
    assert await admitted(lambda: second.get("/v1/jobs")) == 0


async def test_a_large_document_counts_as_several_calls(tenant: Caller, service: Service, pipeline: str) -> None:
    large = a_document(pipeline, metadata={"padding": " " * 3 * 8 * 1024})
    service.clock.pass_seconds(1)
    assert (await tenant.post("/v1/jobs", large)).headers["RateLimit-Remaining"] == str(BURST - 4)
    assert (await tenant.call("GET", "/v1/jobs", large)).headers["RateLimit-Remaining"] == str(BURST - 1)
    service.clock.pass_seconds(1)
    assert await admitted(lambda: tenant.post("/v1/jobs", large)) == 3


async def test_a_document_of_untold_length_counts_as_one_of_the_largest(
    tenant: Caller, service: Service, pipeline: str
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield json.dumps(a_document(pipeline)).encode()

    async def send() -> Answer:
        return await tenant.call("POST", "/v1/jobs", content=pieces())

    made = await send()
    assert (made.status, made.headers["RateLimit-Remaining"]) == (201, "0")
    refused = await send()
    assert (refused.status, refused.headers["Retry-After"]) == (429, "3")  # 33 calls, less a burst


async def test_nothing_happens_in_a_call_that_is_refused(tenant: Caller, service: Service, pipeline: str) -> None:
    service.clock.pass_seconds(1)
    for _ in range(BURST):
        await tenant.submit(pipeline)
    refused = await tenant.post("/v1/jobs", a_document(pipeline, client_request_token="order"))
    assert refused.code == "throttled"
    service.clock.pass_seconds(1)
    assert len((await tenant.get("/v1/jobs")).json["items"]) == BURST
    made = await tenant.post("/v1/jobs", a_document(pipeline, client_request_token="order", priority=1))
    assert made.status == 201  # the token was not spent


async def test_a_tenants_rates_change_at_once_and_back(service: Service, operator: Caller, tenant: Caller) -> None:
    path = f"/v1/tenants/{tenant.tenant_id}"
    stranger = await service.tenant("stranger")
    assert (await tenant.get("/v1/jobs")).headers["RateLimit-Limit"] == "10"
    changed = await operator.call("PATCH", path, {"rates": {"list": 6000, "create": 30}})
    assert changed.json["rates"] == {"list": 6000, "create": 30}
    assert await admitted(lambda: tenant.get("/v1/jobs")) in range(90, 101)
    assert await admitted(lambda: tenant.post("/v1/jobs", {})) == 1
    assert await admitted(lambda: stranger.get("/v1/jobs")) == BURST
    slower = await operator.call("PATCH", path, {"rates": {"list": 60, "create": None}})
    assert slower.json["rates"] == {"list": 60}
    service.clock.pass_seconds(2)
    assert await admitted(lambda: tenant.get("/v1/jobs")) == 1
    assert await admitted(lambda: tenant.post("/v1/jobs", {})) == BURST


@pytest.mark.parametrize("rates", [{"list": 0}, {"list": -1}, {"list": 10**12}, {"fly": 1}, {"list": "many"}, [1]])
async def test_rates_that_make_no_sense_are_refused(operator: Caller, tenant: Caller, rates: object) -> None:
    answer = await operator.call("PATCH", f"/v1/tenants/{tenant.tenant_id}", {"rates": rates})
    assert answer.code == "invalid_field"
    assert (await operator.get(f"/v1/tenants/{tenant.tenant_id}")).json["rates"] == {}


async def test_agents_are_never_throttled(tenant: Caller, node: Node) -> None:
    assert await admitted(lambda: tenant.get("/v1/jobs")) == BURST
    for _ in range(3 * BURST):
        assert (await node.beat()).status == 200
    answer = await node.poll()
    assert answer.status == 200
    assert "RateLimit-Limit" not in answer.headers


async def test_an_address_with_too_many_wrong_credentials_waits_and_known_callers_do_not(
    service: Service, tenant: Caller
) -> None:
    newcomer = await service.tenant("newcomer")
    assert (await tenant.get("/v1/jobs")).status == 200
    wrong = Caller(service, f"{tenant.key[:-8]}00000000", None)
    assert await admitted(lambda: wrong.get("/v1/jobs")) == 5
    refused = await newcomer.get("/v1/jobs")
    assert (refused.code, refused.headers["Retry-After"]) == ("throttled", "1")
    service.clock.pass_seconds(1.5)  # the good key has to be looked up again
    assert await admitted(lambda: wrong.get("/v1/jobs")) == 5
    assert (await tenant.get("/v1/jobs")).status == 200
    service.clock.pass_seconds(0.2)
    assert (await newcomer.get("/v1/jobs")).status == 200


async def test_so_does_one_with_wrong_node_credentials_or_join_tokens_and_known_nodes_do_not(
    service: Service, node: Node
) -> None:
    await node.poll()
    wrong = Node(service, node.id, f"{node.credential[:-8]}00000000", node.capacity)
    enrol = EnrolRequest(join_token="etj_none", hostname="guess").model_dump_json()
    statuses = [(await wrong.poll()).status for _ in range(5)]
    statuses.append((await service.call("POST", "/agent/v1/enrol", content=enrol)).status)
    statuses.append((await wrong.poll()).status)
    assert statuses == [401] * 5 + [429] * 2
    assert (await node.poll()).status == 200


async def test_every_route_is_throttled(service: Service, tenant: Caller, operator: Caller) -> None:
    for route in (route for part in ROUTES for route in part.all):
        service.clock.pass_seconds(1)
        for caller in (tenant, operator):
            answer = await caller.call(route.method, route.path.replace("{", "").replace("}", ""))
            assert answer.headers["RateLimit-Limit"] in ("10", "5"), route.path
