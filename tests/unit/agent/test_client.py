"""How answers and silences of the control plane are understood."""

from __future__ import annotations

import asyncio
import itertools
import socket
from pathlib import Path

import pytest
from aiohttp import web

from agent.client import ControlPlane, enrol, is_reachable
from agent.refusals import ProtocolTooOld, Revoked, Unreachable
from shared.errors import ErrorCode, StaleLease, TranscoderError
from shared.ids import BootId
from shared.protocol import (
    BeatRequest,
    EnrolRequest,
    HelloAnswer,
    HelloRequest,
    PollAnswer,
    PollRequest,
    StagedFile,
    StartTask,
    Timings,
)
from tests.builders import some_facts
from tests.unit.agent.builders import Sleeps, a_capacity, a_ref, a_report, a_start
from tests.unit.agent.serving import client_of, problem, serving

FREE = a_capacity().model_dump()


def a_poll() -> PollRequest:
    return PollRequest.model_validate({"boot_id": "bt_1", "free": FREE})


def a_beat() -> BeatRequest:
    return BeatRequest.model_validate({"boot_id": "bt_1", "free": FREE})


def a_hello() -> HelloRequest:
    return HelloRequest(boot_id=BootId("bt_1"), facts=some_facts())


async def test_a_call_is_posted_under_the_nodes_credential_and_its_answer_parsed() -> None:
    seen: list[tuple[str, str, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, request.path, request.headers.get("Authorization")))
        return web.json_response(text=PollAnswer(orders=(a_start(),), timings=Timings()).model_dump_json())

    async with client_of(handler) as client:
        (order,) = (await client.poll(a_poll())).orders
    assert isinstance(order, StartTask)
    assert seen == [("POST", "/agent/v1/poll", "Bearer s3cret")]


async def test_the_timings_of_any_answer_hold_from_then_on() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(text=PollAnswer(timings=Timings(beat_interval=42)).model_dump_json())

    async with client_of(handler) as client:
        assert client.timings.beat_interval == 10
        await client.poll(a_poll())
        assert client.timings.beat_interval == 42


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("stale_lease", 409, StaleLease),
        ("unauthenticated", 401, Revoked),
        ("protocol_too_old", 426, ProtocolTooOld),
        ("throttled", 429, Unreachable),
        ("unavailable", 503, Unreachable),
        ("internal", 500, Unreachable),
        ("not_found", 404, TranscoderError),
    ],
)
async def test_each_refusal_is_told_by_its_code(code: str, status: int, error: type[Exception]) -> None:
    async def handler(_: web.Request) -> web.Response:
        return problem(code, status)

    async with client_of(handler) as client:
        with pytest.raises(error):
            await client.poll(a_poll())


async def test_any_other_refusal_keeps_its_code() -> None:
    async def handler(_: web.Request) -> web.Response:
        return problem("wrong_state", 409)

    async with client_of(handler) as client:
        with pytest.raises(TranscoderError, match="It is wrong_state") as refused:
            await client.report(a_report())
    assert refused.value.code is ErrorCode.WRONG_STATE


@pytest.mark.parametrize("status", [302, 401, 403, 404, 409, 502])
async def test_a_bare_status_of_some_box_in_between_ends_nothing(status: int) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, text="<html>", content_type="text/html")

    async with client_of(handler) as client:
        with pytest.raises(Unreachable):
            await client.poll(a_poll())


async def test_an_answer_that_is_not_of_the_protocol_is_no_answer() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="<html>Sign in to the hotel's network</html>", content_type="text/html")

    async with client_of(handler) as client:
        with pytest.raises(Unreachable):
            await client.poll(a_poll())


async def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        async with ControlPlane(f"http://127.0.0.1:{port}", "s3cret") as client:
            with pytest.raises(Unreachable):
                await client.beat(a_beat())
        assert not await is_reachable(f"http://127.0.0.1:{port}")


async def test_an_accept_is_tried_again_after_the_time_that_was_asked_for() -> None:
    tries = itertools.count()
    sleep = Sleeps()

    async def handler(_: web.Request) -> web.Response:
        return problem("unavailable", 503, retry_after="3") if next(tries) < 2 else web.json_response({"timings": {}})

    async with client_of(handler, sleep) as client:
        await client.accept(a_ref())
    assert sleep.asked == [3.2, 3.4]


async def test_an_accept_is_given_up_before_the_lease_is() -> None:
    sleep = Sleeps()

    async def handler(_: web.Request) -> web.Response:
        return problem("unavailable", 503)

    async with client_of(handler, sleep) as client:
        with pytest.raises(Unreachable):
            await client.accept(a_ref())
    assert 10 < sum(sleep.asked) <= 30


async def test_a_beat_is_not_repeated_by_the_client() -> None:
    sleep = Sleeps()

    async def handler(_: web.Request) -> web.Response:
        return problem("unavailable", 503)

    async with client_of(handler, sleep) as client:
        with pytest.raises(Unreachable):
            await client.beat(a_beat())
    assert sleep.asked == []


async def test_beats_pass_while_every_other_connection_is_busy() -> None:
    held = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        if request.path != "/agent/v1/beat":
            await held.wait()
        return web.json_response({"timings": {}, "uploads": []})

    async with client_of(handler) as client:
        busy = [asyncio.create_task(client.accept(a_ref(f"tk_{n}"))) for n in range(40)]
        await client.beat(a_beat())
        held.set()
        await asyncio.gather(*busy)


async def test_links_for_more_files_than_one_call_takes_are_asked_for_in_portions() -> None:
    portions: list[int] = []

    async def handler(request: web.Request) -> web.Response:
        files = (await request.json())["files"]
        portions.append(len(files))
        return web.json_response({"uploads": [{"name": file["name"], "url": "/x"} for file in files]})

    async with client_of(handler) as client:
        uploads = await client.urls(a_ref(), tuple(StagedFile(name=f"o0_{n:05d}.ts", size=1) for n in range(6000)))
    assert portions == [5000, 1000]
    assert [upload.name for upload in uploads] == [f"o0_{n:05d}.ts" for n in range(6000)]


async def test_a_signed_url_is_used_to_the_letter_and_never_gets_the_credential(tmp_path: Path) -> None:
    seen: list[tuple[str, str | None, bytes]] = []

    async def handler(request: web.Request) -> web.Response:
        assert request.headers["Content-Length"] == "8"
        seen.append((request.raw_path, request.headers.get("Authorization"), await request.read()))
        return web.Response()

    file = tmp_path / "o0.mp4"
    file.write_bytes(b"pictures")
    async with serving(handler) as server:
        async with ControlPlane(str(server.make_url("/")), "s3cret") as client:
            await client.upload("/objects/a%2Fb?sig=x%2By%3D", file, 8)
        async with ControlPlane("http://127.0.0.1:1/", "s3cret") as client:
            await client.upload(str(server.make_url("/elsewhere")) + "?sig=1", file, 8)
    assert seen == [
        ("/objects/a%2Fb?sig=x%2By%3D", None, b"pictures"),
        ("/elsewhere?sig=1", None, b"pictures"),
    ]


async def test_a_control_plane_below_a_path_is_asked_there() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response({"timings": {}})

    async with (
        serving(handler) as server,
        ControlPlane(str(server.make_url("/transcoder")), "s3cret") as client,
    ):
        await client.beat(a_beat())
    assert seen == ["/transcoder/agent/v1/beat"]


async def test_a_join_token_buys_an_identity() -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.method == "POST":
            assert (await request.json())["join_token"] == "once"
        return web.json_response({"node_id": "nd_1", "credential": "c", "cluster_id": "paris-1"})

    async with serving(handler) as server:
        answer = await enrol(str(server.make_url("/")), EnrolRequest(join_token="once", hostname="h"))
        assert await is_reachable(str(server.make_url("/")))
    assert answer.node_id == "nd_1"


async def test_the_clocks_are_compared_at_the_middle_of_the_exchange() -> None:
    sleeps = Sleeps()

    async def handler(_: web.Request) -> web.Response:
        sleeps.clock.seconds += 4
        answer = HelloAnswer(timings=Timings(), draining=False, server_time_ms=sleeps.clock.now_ms() - 2_000)
        return web.json_response(text=answer.model_dump_json())

    async with client_of(handler, sleeps) as client:
        assert client.clock_skew is None
        await client.hello(a_hello())
    assert client.clock_skew == 0


async def test_a_control_plane_that_does_not_tell_the_time_is_fine() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(text=HelloAnswer(timings=Timings(), draining=False).model_dump_json())

    async with client_of(handler) as client:
        await client.hello(a_hello())
    assert client.clock_skew is None
