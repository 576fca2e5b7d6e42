"""An input arrives whole, from where it broke off, or the attempt says whose fault it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from agent.jobs.failure import AttemptFailed
from agent.jobs.fetch import fetch
from shared.failures import Cause, FailureCode
from shared.protocol import InputSpec
from tests.unit.agent.builders import Sleeps
from tests.unit.agent.serving import Handler, client_of, problem

MOVIE = bytes(range(256)) * 4096


async def bring(
    handler: Handler,
    target: Path,
    *,
    size: int = len(MOVIE),
    told: Callable[[int], None] = id,
    sleep: Sleeps | None = None,
) -> None:
    async with client_of(handler, sleep) as client:
        await fetch(client, InputSpec(index=0, url="/movie?sig=1", size=size), target, told)


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
