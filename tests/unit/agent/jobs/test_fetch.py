"""An input arrives whole, from where it broke off, or the attempt says whose fault it is."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from agent.jobs.failure import AttemptFailed
from agent.jobs.fetch import PART, fetch
from shared.failures import Cause, FailureCode
from shared.protocol import InputSpec
from tests.fields import shows
from tests.unit.agent.builders import Sleeps, a_ref
from tests.unit.agent.serving import Handler, client_of, problem

MOVIE = bytes(range(256)) * 4096


async def bring(
    handler: Handler,
    target: Path,
    *,
    size: int = len(MOVIE),
    told: Callable[[int], None] = id,
    sleep: Sleeps | None = None,
    part: int = PART,
    sha256: str | None = None,
) -> None:
    source = InputSpec(index=0, url="/movie?sig=1", size=size, sha256=sha256)
    async with client_of(handler, sleep) as client:
        await fetch(client, a_ref(), source, target, told, part=part)


async def served(request: web.Request) -> web.Response:
    return web.Response(body=MOVIE)


def breaking(after: int, *, honours_range: bool = True) -> tuple[Handler, list[str | None]]:
    """Hands out so many bytes, then the connection is gone."""
    asked: list[str | None] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers.get("Range"))
        start = request.http_range.start or 0 if honours_range else 0
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = len(MOVIE) - start
        await response.prepare(request)
        await response.write(MOVIE[start : start + after])
        if start + after < len(MOVIE) and (honours_range or len(asked) == 1):
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(MOVIE[start + after :])
        return response

    return handler, asked


async def test_an_input_is_written_as_it_was_sent(tmp_path: Path) -> None:
    told: list[int] = []
    await bring(served, tmp_path / "0", told=told.append)
    assert (tmp_path / "0").read_bytes() == MOVIE
    assert sum(told) == len(MOVIE)


async def test_what_goes_wrong_on_this_node_is_told_as_it_is_and_not_as_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await bring(served, tmp_path / "nowhere" / "0")


async def test_a_broken_connection_goes_on_from_where_it_broke(tmp_path: Path) -> None:
    handler, asked = breaking(after=400_000)
    await bring(handler, tmp_path / "0")
    assert (tmp_path / "0").read_bytes() == MOVIE
    assert asked[0] is None
    assert all(range_ is not None for range_ in asked[1:])


async def test_a_server_without_ranges_is_asked_for_everything_again(tmp_path: Path) -> None:
    handler, asked = breaking(after=400_000, honours_range=False)
    await bring(handler, tmp_path / "0")
    assert (tmp_path / "0").read_bytes() == MOVIE
    assert len(asked) == 2


async def test_an_input_of_no_bytes_is_fetched_too(tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=b"")

    await bring(handler, tmp_path / "0", size=0)
    assert (tmp_path / "0").read_bytes() == b""


@pytest.mark.parametrize("size", [0, len(MOVIE)])
async def test_an_input_that_is_gone_is_the_tenants_fault(tmp_path: Path, size: int) -> None:
    async def handler(_: web.Request) -> web.Response:
        return problem("not_found", 404)

    with pytest.raises(AttemptFailed) as failed:
        await bring(handler, tmp_path / "0", size=size)
    assert failed.value.failure.code is FailureCode.INPUT_MISSING
    assert failed.value.failure.cause is Cause.INPUT


@pytest.mark.parametrize("size", [len(MOVIE) - 1, len(MOVIE) + 1])
async def test_an_input_of_another_size_is_not_the_one_that_was_submitted(tmp_path: Path, size: int) -> None:
    async def handler(request: web.Request) -> web.Response:
        start = request.http_range.start or 0
        return problem("range_not_satisfiable", 416) if start >= len(MOVIE) else web.Response(body=MOVIE)

    with pytest.raises(AttemptFailed, match="changed while it was being read"):
        await bring(handler, tmp_path / "0", size=size)


async def test_a_storage_that_stays_away_is_not_the_inputs_fault(tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        return problem("unavailable", 503)

    with pytest.raises(AttemptFailed) as failed:
        await bring(handler, tmp_path / "0")
    assert failed.value.failure.cause is Cause.NODE


async def test_an_outage_of_most_of_an_hour_is_waited_for(tmp_path: Path) -> None:
    sleep = Sleeps()
    end = sleep.clock.seconds + 3000

    async def handler(request: web.Request) -> web.Response:
        away = sleep.clock.seconds < end
        return problem("unavailable", 503, retry_after="300") if away else await served(request)

    await bring(handler, tmp_path / "0", sleep=sleep)
    assert (tmp_path / "0").read_bytes() == MOVIE


async def test_only_the_agent_can_read_what_it_fetched(tmp_path: Path) -> None:
    await bring(served, tmp_path / "0")
    assert (tmp_path / "0").stat().st_mode & 0o077 == 0


class Storage:
    """An object that can be replaced, behind links that run out, on a server that breaks connections."""

    def __init__(self, content: bytes = MOVIE) -> None:
        self.content = content
        self.etag = '"1"'
        self.link = "1"
        self.asked: list[str | None] = []
        self.renewals = 0
        self.breaks_after: int | None = None
        self.on_request: Callable[[int], object] = id

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/urls"):
            return self._renew()
        if request.query["sig"] != self.link:
            return problem("link_refused", 403)
        self.asked.append(request.headers.get("Range"))
        self.on_request(len(self.asked))
        return await self._answer(request)

    def _renew(self) -> web.Response:
        self.renewals += 1
        size = len(self.content)
        return web.json_response(
            {"uploads": [], "inputs": [{"index": 0, "url": f"/movie?sig={self.link}", "size": size}]}
        )

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        is_same = request.headers.get("If-Range") in (None, self.etag)
        span = request.http_range if is_same else slice(None, None)
        start, end = span.start or 0, span.stop or len(self.content)
        response = web.StreamResponse(status=206 if span.start is not None else 200, headers={"ETag": self.etag})
        if response.status == 206:
            response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(self.content)}"
        response.content_length = end - start
        await response.prepare(request)
        for at in range(start, end, 1 << 16):
            if self.breaks_after is not None and at - start >= self.breaks_after:
                assert request.transport is not None
                request.transport.close()
                break
            await response.write(self.content[at : min(at + (1 << 16), end)])
            await asyncio.sleep(0)
        return response


async def test_a_large_input_comes_in_several_parts_at_once(tmp_path: Path) -> None:
    storage, told, four = Storage(), [0], asyncio.Barrier(4)

    async def handler(request: web.Request) -> web.StreamResponse:
        if 1 <= len(storage.asked) <= 4 and request.headers["Range"] != storage.asked[0]:
            await four.wait()  # nobody is answered before four have asked
        return await storage.serve(request)

    await bring(handler, tmp_path / "0", part=100_000, told=told.append)
    assert (tmp_path / "0").read_bytes() == MOVIE
    assert sum(told) == len(MOVIE)
    assert storage.asked[0] == "bytes=0-99999"
    assert len(storage.asked) == 11


async def test_every_part_goes_on_from_where_its_connection_broke(tmp_path: Path) -> None:
    storage, told = Storage(), [0]
    storage.breaks_after = 1 << 16
    await bring(storage.serve, tmp_path / "0", part=200_000, told=told.append)
    assert (tmp_path / "0").read_bytes() == MOVIE
    assert sum(told) == len(MOVIE), "no byte was fetched twice"


@pytest.mark.parametrize("request_number", [2, 3, 7])
async def test_an_object_that_is_replaced_while_it_is_fetched_is_noticed(tmp_path: Path, request_number: int) -> None:
    storage = Storage()

    def replace(number: int) -> None:
        if number == request_number:
            storage.content, storage.etag = MOVIE[::-1], '"2"'

    storage.on_request = replace
    with pytest.raises(AttemptFailed, match="changed while it was being read"):
        await bring(storage.serve, tmp_path / "0", part=100_000)


async def test_links_that_run_out_are_renewed_once_for_all_parts(tmp_path: Path) -> None:
    storage = Storage()

    def run_out(number: int) -> None:
        if number == 3:
            storage.link = "2"

    storage.on_request = run_out
    await bring(storage.serve, tmp_path / "0", part=100_000)
    assert (tmp_path / "0").read_bytes() == MOVIE
    assert storage.renewals == 1


async def test_an_object_of_another_size_behind_the_new_link_is_another_object(tmp_path: Path) -> None:
    storage = Storage()

    def run_out(number: int) -> None:
        if number == 3:
            storage.link, storage.content = "2", MOVIE + b"x"

    storage.on_request = run_out
    with pytest.raises(AttemptFailed, match="changed while it was being read"):
        await bring(storage.serve, tmp_path / "0", part=100_000)


async def test_links_that_are_refused_again_and_again_end_the_fetch(tmp_path: Path) -> None:
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path.endswith("/urls"):
            return web.json_response(
                {"uploads": [], "inputs": [{"index": 0, "url": "/movie?sig=2", "size": len(MOVIE)}]}
            )
        return problem("link_refused", 403)

    with pytest.raises(AttemptFailed) as failed:
        await bring(handler, tmp_path / "0")
    assert failed.value.failure.cause is Cause.NODE
    assert len(asked) < 10


async def test_a_server_that_gives_no_parts_sends_everything_once(tmp_path: Path) -> None:
    asked: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Range"))
        return await served(request)

    told = [0]
    await bring(handler, tmp_path / "0", part=100_000, told=told.append)
    assert (tmp_path / "0").read_bytes() == MOVIE
    assert len(asked) == 1
    assert sum(told) == len(MOVIE)


async def test_a_part_that_is_not_the_one_asked_for_is_not_written(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        headers = {"Content-Range": f"bytes 5-104/{len(MOVIE)}"}
        return web.Response(body=MOVIE[5:105], status=206, headers=headers)

    with pytest.raises(AttemptFailed) as failed:
        await bring(handler, tmp_path / "0", part=100)
    assert failed.value.failure.cause is Cause.NODE
    assert (tmp_path / "0").read_bytes() == b""


@shows("inputs[].sha256")
async def test_a_checksum_that_the_tenant_named_is_compared(tmp_path: Path) -> None:
    right, wrong = hashlib.sha256(MOVIE).hexdigest(), hashlib.sha256(b"").hexdigest()
    await bring(served, tmp_path / "0", sha256=right)
    with pytest.raises(AttemptFailed, match="SHA-256"):
        await bring(served, tmp_path / "1", sha256=wrong)


async def test_memory_does_not_grow_with_the_input(tmp_path: Path) -> None:
    """Sixty-four megabytes through parts of eight: what is held at once is portions, not parts."""
    storage = Storage(bytes(64 << 20))
    tracemalloc.start()
    try:
        await bring(storage.serve, tmp_path / "0", size=64 << 20, part=8 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20
