"""What attempts say for themselves, as tenants read and follow it."""

from __future__ import annotations

import asyncio

from shared.failures import Cause, FailureReason
from shared.protocol import (
    AttemptProgress,
    AttemptRef,
    BeatRequest,
    Failed,
    Fallback,
    LogRequest,
    LogTail,
    ProgressRequest,
    ReportRequest,
    Split,
)
from tests.builders import a_failure, finished, free_of, some_progress
from tests.contract.api.service import OUT, Caller, Node, Service
from tests.contract.api.test_jobs import watching

FALLBACK = Fallback(outputs=(0,), encoder="h264_nvenc", instead="libx264", reason=FailureReason.HARDWARE_BUSY)
SPLIT = Split(outputs=(0, 1), reason=FailureReason.UNKNOWN)


def tail(text: str, said: int | None = None) -> LogTail:
    return LogTail(said=said or len(text), text=text)


async def say(node: Node, ref: AttemptRef, log: LogTail) -> int:
    return (await node.say("log", LogRequest(ref=ref, log=log))).status


async def a_run(tenant: Caller, pipeline: str, node: Node) -> tuple[str, AttemptRef]:
    job_id = await tenant.submit(pipeline)
    return job_id, (await node.take()).ref


async def texts(tenant: Caller, job_id: str, query: str = "") -> list[tuple[int, str]]:
    items = (await tenant.get(f"/v1/jobs/{job_id}/log{query}")).json["items"]
    return [(item["attempt"], item["text"]) for item in items]


class TestLogs:
    async def test_the_last_lines_can_be_read_while_the_work_goes_on(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        job_id, ref = await a_run(tenant, pipeline, node)
        assert await texts(tenant, job_id) == []
        assert await say(node, ref, tail("one\n")) == 200
        assert await say(node, ref, tail("one\ntwo\n")) == 200
        assert await texts(tenant, job_id) == [(1, "one\ntwo\n")]

    async def test_a_tail_that_was_overtaken_changes_nothing(self, tenant: Caller, pipeline: str, node: Node) -> None:
        job_id, ref = await a_run(tenant, pipeline, node)
        await say(node, ref, tail("one\ntwo\n"))
        await say(node, ref, tail("one\n"))
        assert await texts(tenant, job_id) == [(1, "one\ntwo\n")]

    async def test_only_the_holder_of_the_lease_is_heard(self, tenant: Caller, pipeline: str, node: Node) -> None:
        job_id, ref = await a_run(tenant, pipeline, node)
        assert await say(node, ref.model_copy(update={"lease_id": "other"}), tail("lies\n")) == 409
        await node.report(ref, Failed(failure=a_failure(Cause.INPUT)))
        assert await say(node, ref, tail("late\n")) == 409
        assert await texts(tenant, job_id) == []

    async def test_every_attempt_keeps_its_end(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        job_id, ref = await a_run(tenant, pipeline, node)
        failed = ReportRequest(ref=ref, outcome=Failed(failure=a_failure()), log=tail("it broke\n"))
        await node.say("report", failed)
        service.clock.pass_seconds(3600)
        again = (await node.take()).ref
        await node.stage(again, OUT)
        await node.say("report", ReportRequest(ref=again, outcome=finished(), log=tail("it worked\n")))
        assert await texts(tenant, job_id) == [(1, "it broke\n"), (2, "it worked\n")]
        assert await texts(tenant, job_id, "?attempt=2") == [(2, "it worked\n")]
        plain = await tenant.get(f"/v1/jobs/{job_id}/log", headers={"Accept": "text/plain"})
        assert plain.headers["Content-Type"].startswith("text/plain")
        assert plain.content.decode() == (
            f"== attempt 1 on {node.id}\nit broke\n== attempt 2 on {node.id}\nit worked\n"
        )

    async def test_a_node_that_is_not_to_be_trusted_cannot_write_to_terminals(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        job_id, ref = await a_run(tenant, pipeline, node)
        await say(node, ref, tail("\x1b]0;owned\x07 https://evil.example/\n"))
        assert await texts(tenant, job_id) == [(1, " <address>\n")]

    async def test_a_tail_beyond_its_bound_is_refused(self, tenant: Caller, pipeline: str, node: Node) -> None:
        _, ref = await a_run(tenant, pipeline, node)
        content = LogRequest(ref=ref, log=tail("x")).model_dump_json().replace('"x"', f'"{"x" * 20_000}"')
        answer = await node.service.call("POST", "/agent/v1/log", key=node.credential, content=content)
        assert answer.status == 400

    async def test_anothers_log_is_not_there(self, service: Service, tenant: Caller, pipeline: str, node: Node) -> None:
        job_id, ref = await a_run(tenant, pipeline, node)
        await say(node, ref, tail("mine\n"))
        other = await service.tenant("other")
        for accept in ("application/json", "text/plain", "text/event-stream"):
            answer = await other.get(f"/v1/jobs/{job_id}/log", headers={"Accept": accept})
            assert answer.fault[:2] == (404, "not_found")

    async def test_a_follower_gets_every_character_once_until_the_job_has_ended(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        job_id, ref = await a_run(tenant, pipeline, node)
        await say(node, ref, tail("one\n"))
        async with asyncio.timeout(10), watching(tenant, job_id, what="log") as parts:
            assert await anext(parts) == part_of(ref, 4, "one\n", await anext_raw(tenant, job_id))
            await say(node, ref, tail("one\ntwo\n"))
            event_id, kind, data = await anext(parts)
            assert (event_id, kind, data["text"]) == ("1.8", "log", "two\n")
            await node.stage(ref, OUT)
            await node.say("report", ReportRequest(ref=ref, outcome=finished(), log=tail("two\nend\n", 12)))
            rest = [(kind, data.get("text")) async for _, kind, data in parts]
        assert rest == [("log", "end\n"), ("end", None)]
        async with asyncio.timeout(10), watching(tenant, job_id, last="1.8", what="log") as parts:
            assert [data.get("text") async for _, _, data in parts] == ["end\n", None]


async def anext_raw(tenant: Caller, job_id: str) -> dict[str, object]:
    (item,) = (await tenant.get(f"/v1/jobs/{job_id}/log")).json["items"]
    return dict(item)


def part_of(ref: AttemptRef, said: int, text: str, item: dict[str, object]) -> tuple[str, str, dict[str, object]]:
    return f"{ref.attempt}.{said}", "log", {**item, "said": said, "text": text}


class TestEventsOfAttempts:
    async def history(self, tenant: Caller, job_id: str) -> list[tuple[str, object]]:
        items = (await tenant.get(f"/v1/jobs/{job_id}/events")).json["items"]
        return [(item["type"], item["data"].get("reason")) for item in items if item["type"] in ("fallback", "split")]

    async def test_they_are_told_once_however_often_they_are_sent(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        job_id, ref = await a_run(tenant, pipeline, node)
        told = AttemptProgress(ref=ref, progress=some_progress(), events=(FALLBACK,))
        await node.say("progress", ProgressRequest(boot_id=node.boot_id, attempts=(told,)))
        assert await self.history(tenant, job_id) == [("fallback", "hardware_busy")]
        beat = BeatRequest(boot_id=node.boot_id, free=free_of(node.capacity), attempts=(told,))
        await node.say("beat", beat)
        await node.say("beat", beat)
        await node.stage(ref, OUT)
        await node.say("report", ReportRequest(ref=ref, outcome=finished(), events=(FALLBACK, SPLIT)))
        assert await self.history(tenant, job_id) == [("fallback", "hardware_busy"), ("split", "unknown")]

    async def test_they_name_the_attempt_the_node_and_the_outputs_as_the_tenant_knows_them(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        job_id, ref = await a_run(tenant, pipeline, node)
        told = AttemptProgress(ref=ref, progress=some_progress(), events=(FALLBACK,))
        await node.say("beat", BeatRequest(boot_id=node.boot_id, free=free_of(node.capacity), attempts=(told,)))
        (data,) = [
            item["data"]
            for item in (await tenant.get(f"/v1/jobs/{job_id}/events")).json["items"]
            if item["type"] == "fallback"
        ]
        assert data == {
            "attempt": 1,
            "node_id": node.id,
            "outputs": ["1"],
            "encoder": "h264_nvenc",
            "instead": "libx264",
            "reason": "hardware_busy",
        }

    async def test_the_next_attempt_begins_its_own(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        job_id, ref = await a_run(tenant, pipeline, node)
        await node.say("report", ReportRequest(ref=ref, outcome=Failed(failure=a_failure()), events=(FALLBACK,)))
        service.clock.pass_seconds(3600)
        again = (await node.take()).ref
        await node.stage(again, OUT)
        await node.say("report", ReportRequest(ref=again, outcome=finished(), events=(FALLBACK,)))
        assert await self.history(tenant, job_id) == [("fallback", "hardware_busy")] * 2

    async def test_a_failure_tells_its_reason(self, tenant: Caller, pipeline: str, node: Node) -> None:
        job_id, ref = await a_run(tenant, pipeline, node)
        failure = a_failure(Cause.INPUT).model_copy(update={"reason": FailureReason.UNDECODABLE})
        await node.report(ref, Failed(failure=failure))
        assert (await tenant.get(f"/v1/jobs/{job_id}")).json["status_detail"]["reason"] == "undecodable"
