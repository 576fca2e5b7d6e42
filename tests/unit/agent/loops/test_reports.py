"""Reports are sent until they are answered, and none holds up another."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from agent.jobs.failure import REPORT_REFUSED, REPORT_TOO_LARGE
from agent.jobs.outbox import Outbox
from agent.loops.reports import Reports
from agent.loops.timing import Timing
from shared.failures import Failure
from shared.protocol import Failed, Finished, LogTail, OutputResult, ReportRequest
from shared.statuses import JobStatus
from tests.builders import produced
from tests.unit.agent.builders import Sleeps, a_ref, a_report
from tests.unit.agent.serving import Handler, client_of, problem


async def send(handler: Handler, outbox: Outbox, until: asyncio.Event) -> Sleeps:
    sleep = Sleeps()
    async with client_of(handler) as client:
        sending = asyncio.create_task(Reports(client, outbox, timing=Timing(sleep.clock, sleep, lambda: 1.0)).run())
        async with asyncio.timeout(10):
            await until.wait()
        sending.cancel()
        await asyncio.wait({sending})
    return sleep


async def an_outbox(directory: Path, *tasks: str) -> Outbox:
    outbox = Outbox(directory, Sleeps().clock)
    for task in tasks:
        await outbox.put(a_report(task))
    return outbox


async def test_a_report_that_cannot_be_taken_now_holds_up_no_other(tmp_path: Path) -> None:
    outbox = await an_outbox(tmp_path, "tk_1", "tk_2")
    tries: list[str] = []
    enough = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        task = (await request.json())["ref"]["task_id"]
        tries.append(task)
        if tries.count("tk_1") == 3:
            enough.set()
        return problem("internal", 500) if task == "tk_1" else web.json_response({"task_state": "Stopped"})

    await send(handler, outbox, enough)
    assert tries == ["tk_1", "tk_2", "tk_1", "tk_1"]
    assert outbox.refs() == (a_ref("tk_1"),)


async def test_each_wait_is_longer_than_the_last(tmp_path: Path) -> None:
    outbox = await an_outbox(tmp_path, "tk_1")
    count = 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return problem("unavailable", 503) if count < 4 else web.json_response({"task_state": "Stopped"})

    sleep = await send(handler, outbox, outbox.emptied)
    assert sleep.asked == [0.2, 0.4, 0.8]


async def test_a_refusal_is_an_answer_too(tmp_path: Path) -> None:
    outbox = await an_outbox(tmp_path, "tk_1", "tk_2")

    async def handler(request: web.Request) -> web.Response:
        stale = (await request.json())["ref"]["task_id"] == "tk_1"
        return problem("stale_lease", 409) if stale else problem("malformed_request", 400)

    await send(handler, outbox, outbox.emptied)
    assert list(tmp_path.iterdir()) == []


async def test_work_whose_report_is_refused_is_reported_as_failed_and_why(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, Sleeps().clock)
    finished = Finished(inputs=(), outputs=(), encode_seconds=1.0)
    for task in ("tk_1", "tk_2"):
        await outbox.put(ReportRequest(ref=a_ref(task), outcome=finished, log=LogTail(said=1, text="x")))
    told: dict[str, Failure] = {}

    async def handler(request: web.Request) -> web.Response:
        report = ReportRequest.model_validate_json(await request.read())
        if isinstance(report.outcome, Finished):
            return problem("too_large", 413) if report.ref == a_ref("tk_1") else problem("invalid_field", 400)
        assert isinstance(report.outcome, Failed)
        assert report.log is None
        assert report.events == ()
        told[report.ref.task_id] = report.outcome.failure
        return web.json_response({"task_state": "Failed"})

    await send(handler, outbox, outbox.emptied)
    assert told == {"tk_1": REPORT_TOO_LARGE, "tk_2": REPORT_REFUSED}
    assert list(tmp_path.iterdir()) == []


async def test_a_report_that_is_too_large_never_sets_out(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, Sleeps().clock)
    many = OutputResult(
        index=0, status=JobStatus.COMPLETE, objects=tuple(produced(f"{number:0200}") for number in range(20_000))
    )
    finished = Finished(inputs=(), outputs=(many,), encode_seconds=1.0)
    await outbox.put(ReportRequest(ref=a_ref("tk_1"), outcome=finished))
    told: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        told.append(ReportRequest.model_validate_json(await request.read()).outcome.type)
        return web.json_response({"task_state": "Failed"})

    await send(handler, outbox, outbox.emptied)
    assert told == ["failed"]


async def test_a_box_in_between_that_knows_no_such_page_loses_no_report(tmp_path: Path) -> None:
    outbox = await an_outbox(tmp_path, "tk_1")
    count = 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(status=404) if count < 3 else web.json_response({"task_state": "Stopped"})

    await send(handler, outbox, outbox.emptied)
    assert count == 3
