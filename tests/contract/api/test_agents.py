"""The server's half of the conversation with agents, spoken to by a node that follows a script."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from controlplane.http.keys import CLUSTERS
from controlplane.store import sqlite
from controlplane.store.batches import Waiting
from controlplane.store.sqlite import SqliteStore
from shared.failures import Cause
from shared.protocol import (
    ENROL_SIZE,
    EnrolRequest,
    Failed,
    HelloRequest,
    StagedFile,
    Stopped,
    UrlsRequest,
)
from tests.builders import a_capacity, a_failure, eventually, finished, some_facts
from tests.contract.api.service import CLUSTER, OUT, Caller, Node, Service, serving


class Grants:
    """Their commits, in the test's hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._decided = threading.Event()
        self._is_refused = False
        self._under_way = False
        foretell, commit = sqlite.foretell, SqliteStore._commit

        def watched(batch: Sequence[Waiting], results: Sequence[Any]) -> None:
            self._under_way = any(waiting.foretell for waiting in batch)
            foretell(batch, results)

        def decided(store: SqliteStore) -> sqlite3.Error | None:
            if not self._under_way:
                return commit(store)
            assert self._decided.wait(10)
            if not self._is_refused:
                return commit(store)
            self._is_refused = False
            store._roll_back()
            return sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr(sqlite, "foretell", watched)
        monkeypatch.setattr(SqliteStore, "_commit", decided)

    def keep(self) -> None:
        self._decided.set()

    def refuse_once(self) -> None:
        self._is_refused = True
        self._decided.set()


@pytest.fixture
def grants(monkeypatch: pytest.MonkeyPatch) -> Grants:
    return Grants(monkeypatch)


class TestEnrolment:
    async def test_one_token_makes_one_node_however_many_use_it_at_once(self, service: Service, node: Node) -> None:
        token, _ = await service.app[CLUSTERS].join_token(CLUSTER, {}, 60)
        message = EnrolRequest(join_token=token, hostname="edge").model_dump_json()
        answers = await asyncio.gather(*(service.call("POST", "/agent/v1/enrol", content=message) for _ in range(16)))
        assert sorted(answer.status for answer in answers) == [200] + [401] * 15

    async def test_a_token_ends(self, service: Service, node: Node) -> None:
        token, _ = await service.app[CLUSTERS].join_token(CLUSTER, {}, 60)
        service.clock.pass_seconds(60)
        message = EnrolRequest(join_token=token, hostname="edge").model_dump_json()
        assert (await service.call("POST", "/agent/v1/enrol", content=message)).code == "unauthenticated"

    @pytest.mark.parametrize("token", ["", "x", "etj_a_b_c", "etj_a_b_ü", "etk_a_b_00000000", "etj_\udcff_b_c"])
    async def test_what_is_no_token_is_refused(self, service: Service, token: str) -> None:
        document = {"join_token": token, "hostname": "edge"}
        answer = await service.call("POST", "/agent/v1/enrol", document=document)
        assert answer.status in (400, 401)

    async def test_whom_nobody_knows_may_send_little(self, service: Service) -> None:
        document = {"join_token": "etj_none", "hostname": "e" * ENROL_SIZE}
        assert (await service.call("POST", "/agent/v1/enrol", document=document)).code == "too_large"

    async def test_an_agent_of_another_age_is_told_so(self, service: Service, node: Node) -> None:
        asked = HelloRequest(protocol=99, boot_id="boot", facts=some_facts())
        assert (await node.say("hello", asked)).code == "protocol_too_old"

    async def test_a_host_name_of_odd_characters_does_no_harm(
        self, service: Service, operator: Caller, node: Node
    ) -> None:
        token, _ = await service.app[CLUSTERS].join_token(CLUSTER, {}, 60)
        message = EnrolRequest(join_token=token, hostname="edge\0\n" + "x" * 500).model_dump_json()
        made = await service.call("POST", "/agent/v1/enrol", content=message)
        name = (await operator.get(f"/v1/nodes/{made.json['node_id']}")).json["name"]
        assert name == "edge" + "x" * 249


class TestCredentials:
    ROUTES = ("hello", "poll", "accept", "beat", "progress", "urls", "report")

    @pytest.mark.parametrize("route", ROUTES)
    async def test_every_route_asks_for_a_node_s_credential(
        self, service: Service, tenant: Caller, node: Node, route: str
    ) -> None:
        wrong = node.credential[:-1] + ("0" if node.credential[-1] != "0" else "1")
        for credential in (None, "", "x", wrong, tenant.key, node.credential + "ü"):
            answer = await service.call("POST", f"/agent/v1/{route}", key=credential, content=b"{}")
            assert answer.code == "unauthenticated"
        answer = await service.call("POST", f"/agent/v1/{route}", key=node.credential, content=b"{}")
        assert answer.status == 400

    @pytest.mark.parametrize("route", ROUTES)
    async def test_a_revoked_node_is_refused_everywhere(
        self, operator: Caller, node: Node, service: Service, route: str
    ) -> None:
        assert (await operator.call("DELETE", f"/v1/nodes/{node.id}")).status == 204
        answer = await service.call("POST", f"/agent/v1/{route}", key=node.credential, content=b"{}")
        assert answer.code == "unauthenticated"

    async def test_a_node_s_credential_opens_nothing_of_the_tenants(self, node: Node, service: Service) -> None:
        assert (await service.call("GET", "/v1/jobs", key=node.credential)).code == "unauthenticated"

    async def test_a_message_that_is_too_large_is_refused(self, node: Node, service: Service) -> None:
        answer = await service.call("POST", "/agent/v1/beat", key=node.credential, content=io.BytesIO(b" " * (9 << 20)))
        assert answer.code == "too_large"


class TestPolls:
    async def test_a_held_poll_is_answered_the_moment_that_there_is_work(
        self, service: Service, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        took = []
        for _ in range(5):
            poll = asyncio.create_task(node.start(20))
            await eventually(lambda: service.held_polls)
            begun = time.perf_counter()
            await tenant.submit(pipeline)
            order = await poll
            took.append(time.perf_counter() - begun)
            await node.accept(order.ref)
            await node.report(order.ref, Failed(failure=a_failure(Cause.INPUT)))
        assert sorted(took)[2] < 0.25

    async def test_a_poll_that_finds_nothing_is_answered_when_its_time_is_over(self, node: Node) -> None:
        assert await node.orders(0.05) == []

    @pytest.mark.parametrize("wait", [-5.0, 0.0, float("nan")])
    async def test_a_poll_of_odd_length_is_answered_at_once(self, node: Node, wait: float) -> None:
        free = '{"cpu_threads": 1, "memory": 1, "scratch": 1}'
        content = f'{{"boot_id": "boot-1", "free": {free}, "wait": {json.dumps(wait)}}}'
        async with asyncio.timeout(2):
            answer = await node.service.call("POST", "/agent/v1/poll", key=node.credential, content=content)
        assert answer.status in (200, 400)

    async def test_one_poll_takes_the_place_of_an_older_one(self, service: Service, node: Node) -> None:
        older = asyncio.create_task(node.orders(20))
        await eventually(lambda: service.held_polls)
        newer = asyncio.create_task(node.orders(0.2))
        assert await older == []
        assert await newer == []

    async def test_a_client_that_goes_away_frees_its_poll(self, service: Service, node: Node) -> None:
        poll = asyncio.create_task(node.orders(20))
        await eventually(lambda: service.held_polls)
        poll.cancel()
        await eventually(lambda: not service.held_polls)

    async def test_a_grant_whose_answer_was_lost_is_told_again_soon(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("controlplane.services.dispatch.REDELIVERY_MS", 100)
        async with serving(tmp_path / "state") as service:
            tenant, node = await service.tenant(), await service.node()
            await tenant.submit(await tenant.pipeline())
            lost = await node.start()
            again = asyncio.create_task(node.start(20))
            await eventually(lambda: service.held_polls)
            service.clock.pass_seconds(0.1)
            async with asyncio.timeout(5):
                assert (await again).ref == lost.ref

    async def test_a_node_is_told_of_a_grant_while_it_is_written_and_accepts_after_that(
        self, tenant: Caller, pipeline: str, node: Node, grants: Grants
    ) -> None:
        poll = asyncio.create_task(node.start(20))
        job_id = await tenant.submit(pipeline)
        order = await poll
        accept = asyncio.create_task(node.accept(order.ref))
        assert (await tenant.get(f"/v1/jobs/{job_id}")).json["status"] == "Submitted"
        grants.keep()
        assert (await accept).status == 200
        assert (await tenant.get(f"/v1/jobs/{job_id}")).json["status"] == "Progressing"

    async def test_a_grant_that_came_to_nothing_cannot_be_accepted_and_the_task_is_given_again(
        self, tenant: Caller, pipeline: str, node: Node, grants: Grants, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("controlplane.services.dispatch.RETRY_SECONDS", 0.01)
        poll = asyncio.create_task(node.start(20))
        job_id = await tenant.submit(pipeline)
        never = (await poll).ref
        accept = asyncio.create_task(node.accept(never))
        grants.refuse_once()
        assert (await accept).code == "stale_lease"
        order = await node.take()
        assert (order.ref.task_id, order.ref.attempt) == (never.task_id, never.attempt)
        assert order.ref.lease_id != never.lease_id
        assert (await node.accept(never)).code == "stale_lease"
        assert (await tenant.get(f"/v1/jobs/{job_id}")).json["status"] == "Progressing"

    async def test_held_polls_are_answered_when_the_service_stops(self, tmp_path: Path) -> None:
        async with serving(tmp_path / "state") as service:
            active, draining = await service.node(), await service.node()
            await (await service.operator()).post(f"/v1/nodes/{draining.id}/drain")
            polls = [asyncio.create_task(node.poll(20)) for node in (active, draining)]
            await eventually(lambda: service.held_polls == 2)
            begun = time.perf_counter()
            service.app[CLUSTERS]._dispatcher.release_all()
            assert [(await poll).status for poll in polls] == [200, 200]
        assert time.perf_counter() - begun < 3

    async def test_a_drained_node_gets_no_work_and_work_again_when_it_resumes(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        await operator.post(f"/v1/nodes/{node.id}/drain")
        await tenant.submit(pipeline)
        assert await node.orders(0.05) == []
        assert (await node.beat()).json["draining"] is True
        held = asyncio.create_task(node.orders(20))
        await eventually(lambda: service.held_polls)
        await operator.post(f"/v1/nodes/{node.id}/resume")
        assert await held == [] or (await held)[0]["type"] == "start_task"
        assert (await node.beat()).json["draining"] is False

    async def test_a_poll_that_was_held_when_its_node_was_drained_gets_no_work(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        held = asyncio.create_task(node.orders(20))
        await eventually(lambda: service.held_polls)
        await operator.post(f"/v1/nodes/{node.id}/drain")
        await tenant.submit(pipeline)
        assert await held == []

    async def test_a_job_whose_pipeline_resumes_starts_at_once(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        await tenant.post(f"/v1/pipelines/{pipeline}/pause")
        await tenant.submit(pipeline)
        held = asyncio.create_task(node.start(20))
        await eventually(lambda: service.held_polls)
        await tenant.post(f"/v1/pipelines/{pipeline}/resume")
        async with asyncio.timeout(2):
            await held

    async def test_a_delayed_retry_starts_without_anybody_asking(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        await tenant.submit(pipeline)
        order = await node.take()
        await node.report(order.ref, Failed(failure=a_failure()))
        held = asyncio.create_task(node.start(20))
        await eventually(lambda: service.held_polls)
        service.clock.pass_seconds(1)
        async with asyncio.timeout(5):
            assert (await held).ref.attempt == 2

    async def test_a_task_says_what_is_to_be_made_of_what(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        await tenant.upload("in.mp4", b"movie")
        job_id = await tenant.submit(pipeline)
        order = await node.start()
        assert order.job_id == job_id
        assert [output.key for output in order.payload.outputs] == ["out.mp4"]
        assert (order.cpu_threads, order.nvenc_sessions) == (2, 0)
        (source,) = order.inputs
        assert source.size == 5
        assert (await service.call("GET", service.url + source.url)).content == b"movie"


class TestStops:
    async def test_a_stop_is_told_by_the_held_poll_and_by_the_beat(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        job_id = await tenant.submit(pipeline)
        order = await node.take()
        held = asyncio.create_task(node.orders(20))
        await eventually(lambda: service.held_polls)
        assert (await tenant.post(f"/v1/jobs/{job_id}/stop")).status == 202
        async with asyncio.timeout(2):
            (stop,) = await held
        assert (stop["type"], stop["ref"]["lease_id"]) == ("stop_task", order.ref.lease_id)
        (verdict,) = (await node.beat(order.ref)).json["verdicts"]
        assert verdict["verdict"] == "stop"
        assert await tenant.status(job_id) == "Progressing"
        assert (await node.report(order.ref, Stopped())).json["task_state"] == "Stopped"
        assert await tenant.status(job_id) == "Canceled"
        (verdict,) = (await node.beat(order.ref)).json["verdicts"]
        assert verdict["verdict"] == "drop"

    async def test_a_stop_reaches_a_node_that_is_drained(
        self, operator: Caller, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        job_id = await tenant.submit(pipeline)
        await node.take()
        await operator.post(f"/v1/nodes/{node.id}/drain")
        held = asyncio.create_task(node.orders(20))
        await eventually(lambda: service.held_polls)
        await tenant.post(f"/v1/jobs/{job_id}/stop")
        async with asyncio.timeout(2):
            assert [order["type"] for order in await held] == ["stop_task"]

    async def test_a_cancelled_lease_cannot_be_accepted(self, tenant: Caller, pipeline: str, node: Node) -> None:
        job_id = await tenant.submit(pipeline)
        order = await node.start()
        assert (await tenant.post(f"/v1/jobs/{job_id}/cancel")).json["status"] == "Canceled"
        assert (await node.accept(order.ref)).code == "stale_lease"

    async def test_room_that_a_cancel_frees_is_given_at_once(
        self, tenant: Caller, pipeline: str, service: Service
    ) -> None:
        node = await service.node(a_capacity(threads=2))
        first = await tenant.submit(pipeline)
        await node.start()
        second = await tenant.submit(pipeline)
        held = asyncio.create_task(node.start(20))
        await eventually(lambda: service.held_polls)
        await tenant.post(f"/v1/jobs/{first}/cancel")
        async with asyncio.timeout(1.5):
            assert (await held).job_id == second


class TestBoots:
    async def test_a_second_boot_voids_the_first(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        job_id = await tenant.submit(pipeline)
        order = await node.take()
        first = Node(service, node.id, node.credential, node.capacity)
        held = asyncio.create_task(first.orders(20))
        await eventually(lambda: service.held_polls)
        await node.hello("boot-2")
        async with asyncio.timeout(2):
            assert await held == []
        assert (await first.beat(order.ref)).code == "stale_lease"
        assert (await first.poll()).code == "stale_lease"
        assert (await first.report(order.ref, finished())).code == "stale_lease"
        again = await node.start()
        assert (again.job_id, again.ref.attempt) == (job_id, 2)

    async def test_a_lease_that_was_lost_is_removed_from_staging(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        await tenant.submit(pipeline)
        order = await node.take()
        await node.stage(order.ref, OUT)
        staging = service.state / "buckets" / str(tenant.tenant_id) / "bucket" / ".transcoder" / "staging"
        assert list(staging.iterdir())
        await node.hello("boot-2")
        await eventually(lambda: not list(staging.iterdir()))

    async def test_a_link_into_staging_ends_with_the_lease(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        await tenant.submit(pipeline)
        order = await node.take()
        asked = UrlsRequest(ref=order.ref, files=(StagedFile(name=OUT.name, size=OUT.size),))
        (upload,) = (await node.say("urls", asked)).json["uploads"]
        await node.hello("boot-2")
        late = await service.call("PUT", service.url + upload["url"], content=b"x" * OUT.size)
        assert late.code == "stale_lease"

    async def test_an_inputs_link_that_ran_out_is_made_anew_and_gives_parts_of_the_object(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        await tenant.upload("in.mp4", b"0123456789")
        await tenant.submit(pipeline, inputs=[{"key": "in.mp4", "sha256": "a" * 64}])
        order = await node.take()
        (given,) = order.inputs
        assert (given.size, given.sha256) == (10, "a" * 64)
        service.clock.pass_seconds(25 * 3600)
        assert (await service.call("GET", service.url + given.url)).code == "link_refused"
        (renewed,) = (await node.say("urls", UrlsRequest(ref=order.ref, inputs=(0, 7)))).json["inputs"]
        assert (renewed["index"], renewed["size"]) == (0, 10)
        part = await service.call("GET", service.url + renewed["url"], headers={"Range": "bytes=3-5"})
        assert (part.status, part.content, part.headers["Content-Range"]) == (206, b"345", "bytes 3-5/10")
        await tenant.upload("in.mp4", b"9876543210")
        headers = {"Range": "bytes=3-5", "If-Range": part.headers["ETag"]}
        changed = await service.call("GET", service.url + renewed["url"], headers=headers)
        assert changed.headers["ETag"] != part.headers["ETag"]
