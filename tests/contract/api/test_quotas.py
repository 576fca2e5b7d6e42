"""Quotas and usage, as tenants and operators meet them."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from controlplane.domain.quota import Quota
from controlplane.http.keys import PUBLISHER
from controlplane.services.buckets import UPLOAD_LIFETIME
from shared.protocol import DetectedProperties, Finished, OutputResult, ProbedRequest, StartTask
from shared.statuses import JobStatus
from tests.contract.api.service import OUT, Answer, Caller, Node, Service, a_document, serving
from tests.soak import times

CALLERS = 32
LIMIT = 10
ROUNDS = times(3, 50)


async def limit(operator: Caller, tenant: Caller, **limits: float | None) -> Answer:
    answer = await operator.call("PUT", f"/v1/tenants/{tenant.tenant_id}/quotas", limits)
    assert answer.status == 200, answer.content
    return answer


async def used(tenant: Caller, quota: str) -> float:
    counted: float = (await tenant.get("/v1/quotas")).json[quota]["used"]
    return counted


async def probed(node: Node, order: StartTask, seconds: float | None) -> str:
    found = (DetectedProperties(duration=seconds, size=1000),)
    answer = await node.say("probed", ProbedRequest(ref=order.ref, inputs=found))
    verdict: str = answer.json["verdict"]
    return verdict


async def finish(node: Node, order: StartTask, seconds: float) -> None:
    await node.stage(order.ref, OUT)
    output = OutputResult(index=0, status=JobStatus.COMPLETE, duration=seconds, objects=(OUT,))
    found = (DetectedProperties(duration=seconds, size=1000),)
    report = await node.report(order.ref, Finished(inputs=found, outputs=(output,), encode_seconds=2.5))
    assert report.status == 200, report.content


async def test_a_tenant_reads_every_quota_with_its_counter(tenant: Caller, pipeline: str) -> None:
    await tenant.submit(pipeline)
    quotas = (await tenant.get("/v1/quotas")).json
    assert set(quotas) == {"month", "user", *Quota}
    none = {"limit": None, "used": None}
    assert quotas["user"] == {"queued_jobs": none, "running_jobs": none}
    assert quotas["month"] == "2025-11"
    assert quotas["queued_jobs"] == {"limit": 10_000, "used": 1}
    assert quotas["outputs_per_job"] == {"limit": 30, "used": None}
    assert quotas["output_minutes"] == {"limit": 100_000, "used": 0}
    assert [quotas[name]["used"] for name in ("pipelines", "buckets", "presets", "keys")] == [1, 1, 0, 1]


async def test_an_operator_sets_limits_and_what_is_left_out_is_the_default_again(
    operator: Caller, tenant: Caller
) -> None:
    path = f"/v1/tenants/{tenant.tenant_id}/quotas"
    first = await limit(operator, tenant, queued_jobs=7, output_minutes=1.5, stored_bytes=None)
    assert first.json["queued_jobs"] == {"limit": 7, "used": 0}
    assert first.json["output_minutes"] == {"limit": 1.5, "used": 0}
    assert first.json["stored_bytes"] == {"limit": None, "used": 0}
    assert (await operator.get(path)).json == first.json
    own = (await tenant.get("/v1/quotas")).json
    assert {**own, "user": None} == first.json
    assert (await limit(operator, tenant, queued_jobs=7)).json["output_minutes"]["limit"] == 100_000


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"queued_jobs": -1}, "/queued_jobs"),
        ({"queued_jobs": "7"}, "/queued_jobs"),
        ({"queued_jobs": 1.5}, "/queued_jobs"),
        ({"stored_bytes": 10**16}, "/stored_bytes"),
        ({"output_minutes": 1e300}, "/output_minutes"),
        ({"minutes": 1}, "/minutes"),
    ],
)
async def test_what_is_no_limit_is_refused(
    operator: Caller, tenant: Caller, document: dict[str, Any], pointer: str
) -> None:
    answer = await operator.call("PUT", f"/v1/tenants/{tenant.tenant_id}/quotas", document)
    assert (answer.status, answer.json["pointer"]) == (400, pointer)


async def test_tenants_set_no_limits_and_see_nobody_elses(service: Service, tenant: Caller) -> None:
    stranger = await service.tenant("stranger")
    for caller in (tenant, stranger):
        for path in (f"/v1/tenants/{tenant.tenant_id}/quotas", f"/v1/tenants/{tenant.tenant_id}/usage", "/v1/drift"):
            assert (await caller.get(path)).code == "forbidden"
        put = await caller.call("PUT", f"/v1/tenants/{tenant.tenant_id}/quotas", {})
        assert put.code == "forbidden"


async def test_a_tenant_that_never_was_has_no_quotas(operator: Caller) -> None:
    for method, path in (("GET", "quotas"), ("PUT", "quotas"), ("GET", "usage")):
        document = {} if method == "PUT" else None
        assert (await operator.call(method, f"/v1/tenants/000000000000/{path}", document)).code == "not_found"


async def test_of_32_callers_at_once_just_as_many_are_let_in_as_may_wait(
    operator: Caller, tenant: Caller, pipeline: str
) -> None:
    await limit(operator, tenant, queued_jobs=LIMIT)
    for round_ in range(ROUNDS):
        documents = [a_document(pipeline, client_request_token=f"{round_}-{number}") for number in range(CALLERS)]
        answers = await asyncio.gather(*(tenant.post("/v1/jobs", document) for document in documents))
        assert sorted(answer.status for answer in answers) == [201] * LIMIT + [429] * (CALLERS - LIMIT)
        refused = [
            (answer, document) for answer, document in zip(answers, documents, strict=True) if answer.status == 429
        ]
        for answer, _ in refused:
            assert answer.code == "too_many_queued"
            assert int(answer.headers["Retry-After"]) > 0
        let_in = [answer.json["id"] for answer in answers if answer.status == 201]
        listed = (await tenant.get("/v1/jobs?status=Submitted&page_size=200")).json["items"]
        assert {job["id"] for job in listed} == set(let_in)
        for job_id in let_in:
            assert (await tenant.post(f"/v1/jobs/{job_id}/cancel")).status == 200
        again = await tenant.post("/v1/jobs", refused[0][1])
        assert (again.status, again.headers.get("Idempotency-Replayed")) == (201, None)
        await tenant.post(f"/v1/jobs/{again.json['id']}/cancel")
    assert await used(tenant, "queued_jobs") == 0
    assert (await operator.get("/v1/drift")).json == {"items": []}


async def test_a_job_of_too_many_outputs_is_told_where_and_how_many(
    operator: Caller, tenant: Caller, pipeline: str
) -> None:
    await limit(operator, tenant, outputs_per_job=1)
    document = a_document(pipeline)
    document["outputs"] = [{**document["outputs"][0], "key": key} for key in ("a.mp4", "b.mp4")]
    answer = await tenant.post("/v1/jobs", document)
    assert answer.fault == (403, "quota_exceeded", "/outputs")
    assert answer.json["detail"] == "A job may have 1 outputs; this one has 2."


async def test_a_job_that_waits_for_the_running_quota_says_so_and_goes_on_when_it_is_raised(
    operator: Caller, tenant: Caller, pipeline: str, node: Node
) -> None:
    await limit(operator, tenant, running_jobs=1)
    await tenant.submit(pipeline)
    waiting = await tenant.submit(pipeline)
    await node.take()
    assert await node.orders(wait=0.05) == []
    assert (
        "As many jobs of this account run"
        in (await tenant.get(f"/v1/jobs/{waiting}")).json["waiting_because"]["message"]
    )
    poll = asyncio.create_task(node.start())
    await limit(operator, tenant, running_jobs=2)
    assert (await poll).job_id == waiting


async def test_the_end_of_a_job_lets_the_next_one_run(
    operator: Caller, tenant: Caller, pipeline: str, node: Node
) -> None:
    await limit(operator, tenant, running_jobs=1)
    await tenant.submit(pipeline)
    waiting = await tenant.submit(pipeline, outputs=[a_document(pipeline)["outputs"][0] | {"key": "another.mp4"}])
    order = await node.take()
    poll = asyncio.create_task(node.start())
    await finish(node, order, 1.0)
    assert (await poll).job_id == waiting


async def test_a_job_for_which_too_few_minutes_are_left_fails_before_it_is_encoded(
    operator: Caller, tenant: Caller, pipeline: str, node: Node
) -> None:
    await limit(operator, tenant, output_minutes=10)
    await tenant.submit(pipeline)
    assert await probed(node, await node.take(), 540.0) == "keep"
    job_id = await tenant.submit(pipeline)
    order = await node.take()
    assert await probed(node, order, 120.0) == "drop"
    job = (await tenant.get(f"/v1/jobs/{job_id}")).json
    assert job["status"] == "Error"
    assert job["status_detail"] == {
        **job["status_detail"],
        "code": 1100,
        "message": "9 of 10 output minutes of 2025-11 are used or reserved; this job needs 2.",
    }
    assert (await node.beat(order.ref)).json["verdicts"][0]["verdict"] == "drop"
    again = ProbedRequest(ref=order.ref, inputs=())
    assert (await node.say("probed", again)).code == "stale_lease"
    assert await used(tenant, "output_minutes") == 9


@pytest.mark.parametrize(
    ("quota", "path", "document"),
    [
        ("presets", "/v1/presets", {"name": "p", "settings": a_document("")["outputs"][0]["settings"]}),
        ("buckets", "/v1/buckets", {"name": "another"}),
        ("keys", "/v1/keys", {}),
    ],
)
async def test_what_is_one_too_many_is_refused_and_leaves_nothing(
    operator: Caller, tenant: Caller, quota: str, path: str, document: dict[str, Any]
) -> None:
    there = (await tenant.get(path)).json
    full = int(await used(tenant, quota))
    await limit(operator, tenant, **{quota: full})
    answer = await tenant.post(path, document)
    assert answer.fault == (403, "quota_exceeded", None)
    assert answer.json["detail"] == f"{full} of {full} {quota} are used."
    assert (await tenant.get(path)).json == there
    await limit(operator, tenant)
    assert (await tenant.post(path, document)).status == 201


class TestStoredBytes:
    @pytest.fixture(autouse=True)
    async def bucket(self, tenant: Caller) -> None:
        assert (await tenant.post("/v1/buckets", {"name": "bucket"})).status == 201

    async def test_uploads_count_and_what_they_replace_or_is_deleted_counts_no_more(self, tenant: Caller) -> None:
        for key, size, total in (("a", 100, 100), ("b", 50, 150), ("a", 30, 80), ("a", 30, 80)):
            assert (await tenant.upload(key, b"x" * size)).status == 201
            assert await used(tenant, "stored_bytes") == total
        assert (await tenant.call("DELETE", "/v1/buckets/bucket/objects/b")).status == 204
        assert await used(tenant, "stored_bytes") == 30
        assert (await tenant.call("DELETE", "/v1/buckets/bucket/objects/b")).status == 404
        assert await used(tenant, "stored_bytes") == 30

    async def test_what_does_not_fit_is_refused_before_it_is_read(
        self, service: Service, operator: Caller, tenant: Caller
    ) -> None:
        await limit(operator, tenant, stored_bytes=100)
        await tenant.upload("a", b"x" * 60)
        answer = await tenant.upload("b", b"x" * 50)
        assert answer.fault == (403, "quota_exceeded", None)
        assert answer.json["detail"] == "60 of 100 stored bytes are used; this needs 50."
        assert await tenant.keys() == ["a"]
        assert (await tenant.upload("b", b"x" * 40)).status == 201
        assert await used(tenant, "stored_bytes") == 100

    async def test_an_upload_of_unknown_length_is_stopped_when_the_quota_is_full(
        self, service: Service, operator: Caller, tenant: Caller
    ) -> None:
        await limit(operator, tenant, stored_bytes=2_500_000)
        sent = 0

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < 50_000_000:
                sent += 100_000
                yield b"x" * 100_000

        link = (await tenant.post("/v1/buckets/bucket/uploads", {"key": "long"})).json["url"]
        with suppress(aiohttp.ClientConnectionError):  # it hangs up on those who do not listen
            assert (await service.call("PUT", link, content=pieces())).code == "quota_exceeded"
        assert await tenant.keys() == []
        assert await used(tenant, "stored_bytes") <= 2_500_000

        async def few() -> AsyncIterator[bytes]:
            yield b"y" * 1234

        assert (await service.call("PUT", link, content=few())).status == 201
        assert await used(tenant, "stored_bytes") == 1234

    async def test_what_is_set_aside_for_an_upload_is_given_back_when_nobody_goes_on_with_it(
        self, service: Service, tenant: Caller
    ) -> None:
        link = (await tenant.post("/v1/buckets/bucket/uploads", {"key": "half"})).json["url"]
        part = await service.call("PUT", link, content=b"x" * 40, headers={"Content-Range": "bytes 0-39/100"})
        assert part.status == 202
        assert await used(tenant, "stored_bytes") == 100
        rest = await service.call("PUT", link, content=b"x" * 60, headers={"Content-Range": "bytes 40-99/100"})
        assert rest.status == 201
        assert await used(tenant, "stored_bytes") == 100
        again = (await tenant.post("/v1/buckets/bucket/uploads", {"key": "never"})).json["url"]
        await service.call("PUT", again, content=b"x" * 40, headers={"Content-Range": "bytes 0-39/100"})
        assert await used(tenant, "stored_bytes") == 200
        service.clock.pass_seconds(UPLOAD_LIFETIME + 1)
        await service.app[PUBLISHER].sweep(UPLOAD_LIFETIME)
        assert await used(tenant, "stored_bytes") == 100

    async def test_uploads_at_once_never_exceed_it(self, operator: Caller, tenant: Caller) -> None:
        await limit(operator, tenant, stored_bytes=LIMIT * 1000)
        answers = await asyncio.gather(*(tenant.upload(f"o{number}", b"x" * 1000) for number in range(CALLERS)))
        assert sorted(answer.status for answer in answers) == [201] * LIMIT + [403] * (CALLERS - LIMIT)
        assert len(await tenant.keys()) == LIMIT

    async def test_the_same_key_replaced_at_once_counts_once(self, service: Service, tenant: Caller) -> None:
        links = []
        for _ in range(CALLERS):
            service.clock.pass_seconds(0.001)  # each is an upload of its own
            links.append((await tenant.post("/v1/buckets/bucket/uploads", {"key": "same"})).json["url"])
        answers = await asyncio.gather(*(service.call("PUT", link, content=b"x" * 1000) for link in links))
        assert {answer.status for answer in answers} == {201}
        assert await used(tenant, "stored_bytes") == 1000
        deleted = await asyncio.gather(
            *(tenant.call("DELETE", "/v1/buckets/bucket/objects/same") for _ in range(CALLERS))
        )
        assert sorted(answer.status for answer in deleted) == [204] + [404] * (CALLERS - 1)
        assert await used(tenant, "stored_bytes") == 0

    async def test_results_count_once_they_are_visible_and_staging_does_not(
        self, operator: Caller, tenant: Caller, node: Node
    ) -> None:
        pipeline = await tenant.pipeline()
        job_id = await tenant.submit(pipeline)
        order = await node.take()
        await node.stage(order.ref, OUT)
        assert await used(tenant, "stored_bytes") == 0
        await finish(node, order, 1.0)
        await eventually_ended(tenant, job_id)
        assert await used(tenant, "stored_bytes") == OUT.size

    async def test_results_that_do_not_fit_fail_the_job_and_nothing_of_them_is_left(
        self, service: Service, operator: Caller, tenant: Caller, node: Node
    ) -> None:
        pipeline = await tenant.pipeline()
        await limit(operator, tenant, stored_bytes=OUT.size - 1)
        job_id = await tenant.submit(pipeline)
        order = await node.take()
        await finish(node, order, 1.0)
        await eventually_ended(tenant, job_id)
        job = (await tenant.get(f"/v1/jobs/{job_id}")).json
        assert (job["status"], job["status_detail"]["code"]) == ("Error", 1100)
        assert await tenant.keys() == []
        assert list(service.state.rglob("staging/*")) == []
        assert await used(tenant, "stored_bytes") == 0

    async def test_a_file_that_came_another_way_does_not_bring_the_counter_below_nothing(
        self, service: Service, tenant: Caller
    ) -> None:
        bucket = Path((await tenant.get("/v1/buckets/bucket")).json["root"])
        (bucket / "by-hand").write_bytes(b"x" * 500)
        await tenant.upload("a", b"x" * 100)
        assert (await tenant.call("DELETE", "/v1/buckets/bucket/objects/by-hand")).status == 204
        assert await used(tenant, "stored_bytes") == 0


async def eventually_ended(tenant: Caller, job_id: str) -> None:
    """The stream of its events ends with the job."""
    await tenant.get(f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"})


class TestUsage:
    async def test_a_day_tells_what_its_jobs_came_to(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        job_id = await tenant.submit(pipeline)
        order = await node.take()
        await probed(node, order, 90.0)
        await finish(node, order, 90.0)
        await eventually_ended(tenant, job_id)
        canceled = await tenant.submit(pipeline)
        await tenant.post(f"/v1/jobs/{canceled}/cancel")
        expected = {
            "jobs_complete": 1,
            "jobs_error": 0,
            "jobs_canceled": 1,
            "output_minutes": 1.5,
            "bytes_in": 1000,
            "bytes_out": OUT.size,
            "encoder_seconds": 2.5,
        }
        usage = (await tenant.get("/v1/usage?by=day")).json
        assert usage == {
            "since": "2025-11-01",
            "until": "2025-11-21",
            "items": [expected | {"day": "2025-11-21"}],
            "total": expected,
        }
        assert (await operator.get(f"/v1/tenants/{tenant.tenant_id}/usage")).json == usage
        assert await used(tenant, "output_minutes") == 1.5

    @pytest.mark.parametrize(
        ("query", "accept", "is_csv"),
        [
            ("?format=csv", "application/json", True),
            ("", "text/csv", True),
            ("", "text/csv;q=0.9, application/json;q=0.1", True),
            ("", "*/*", False),
            ("?format=json", "text/csv", False),
        ],
    )
    async def test_it_comes_as_json_or_as_csv(
        self, tenant: Caller, pipeline: str, query: str, accept: str, is_csv: bool
    ) -> None:
        await tenant.post(f"/v1/jobs/{await tenant.submit(pipeline)}/cancel")
        answer = await tenant.get(f"/v1/usage{query}", headers={"Accept": accept})
        if not is_csv:
            assert answer.json["total"]["jobs_canceled"] == 1
            return
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
        assert next(iter(row)) == "day"
        assert (row["day"], row["jobs_canceled"], row["output_minutes"]) == ("2025-11-21", "1", "0.0")

    async def test_days_are_chosen_by_their_ends(self, service: Service, tenant: Caller, pipeline: str) -> None:
        for _ in range(3):
            await tenant.post(f"/v1/jobs/{await tenant.submit(pipeline)}/cancel")
            service.clock.pass_seconds(86_400)
        usage = await tenant.get("/v1/usage?since=2025-11-22&until=2025-11-23")
        assert [item["day"] for item in usage.json["items"]] == ["2025-11-22", "2025-11-23"]
        assert usage.json["total"]["jobs_canceled"] == 2
        assert (await tenant.get("/v1/usage?since=2026-01-01&until=2025-11-23")).fault == (
            400,
            "invalid_field",
            "/since",
        )
        assert (await tenant.get("/v1/usage?since=yesterday")).fault == (400, "invalid_field", "/since")
        assert (await tenant.get("/v1/usage?until=0001-01-01")).json["items"] == []


async def test_a_counter_that_is_wrong_is_told_to_operators(service: Service, operator: Caller, tenant: Caller) -> None:
    service.store._writer.execute(f"UPDATE tenants SET queued = 3 WHERE id = '{tenant.tenant_id}'")  # type: ignore[attr-defined]
    (drift,) = (await operator.get("/v1/drift")).json["items"]
    drifted = {"counter": "queued", "counted": 3, "found": 0}
    assert drift == {"tenant_id": tenant.tenant_id, "user_id": None, **drifted}
    assert await used(tenant, "queued_jobs") == 3, "nothing is mended unasked"
    assert b"transcoder_quota_drift 1.0" in (await service.call("GET", "/metrics")).content
    assert (await tenant.post("/v1/drift/repair")).code == "forbidden"
    assert (await operator.post("/v1/drift/repair", {"tenant_id": "nobody"})).code == "not_found"
    assert (await operator.post("/v1/drift/repair", {"tenant_id": tenant.tenant_id})).json == {"items": [drift]}
    assert b"transcoder_quota_drift 0.0" in (await service.call("GET", "/metrics")).content
    assert await used(tenant, "queued_jobs") == 0


async def test_minutes_are_not_recounted_where_jobs_go_before_their_month_is_over(tmp_path: Path) -> None:
    async with serving(tmp_path / "state", keep_jobs=30 * 86_400.0) as service:
        tenant, operator = await service.tenant(), await service.operator()
        service.store._writer.execute("UPDATE quotas SET used = 9, month = '2025-11' WHERE quota = 'output_minutes'")  # type: ignore[attr-defined]
        assert (await operator.get("/v1/drift")).json["items"] == []
        assert (await tenant.get("/v1/quotas")).status == 200
