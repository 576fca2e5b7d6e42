"""A few bytes there and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from aiohttp import web

from agent.doctor import Finding, Heard, Verdict
from agent.doctor.storage import check
from tests.unit.agent.doctor.subjects import a_subject, only
from tests.unit.agent.doctor.test_control_plane import an_answer
from tests.unit.agent.serving import client_of, problem

Fault = Literal["none", "refuses", "full", "cuts", "garbles", "forgets"]


@asynccontextmanager
async def examined(tmp_path: Path, fault: Fault) -> AsyncIterator[list[Finding]]:
    kept: list[bytes] = []

    async def storage(request: web.Request) -> web.Response:
        if fault == "refuses":
            return problem("link_refused", 403)
        if request.method == "PUT":
            kept.append(await request.read())
            return problem("storage_full", 422) if fault == "full" else web.Response(status=201)
        if fault == "forgets":
            return web.Response(status=404)
        return web.Response(body={"cuts": kept[-1][:-1], "garbles": kept[-1][::-1]}.get(fault, kept[-1]))

    async with client_of(storage) as client:
        yield await check(a_subject(tmp_path, client=client, heard=Heard(an_answer())))
    assert all(len(content) <= an_answer().link_size for content in kept)


async def test_what_comes_back_as_it_went_is_good(tmp_path: Path) -> None:
    async with examined(tmp_path, "none") as found:
        only(found, Verdict.GOOD, "went to the storage and back")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("refuses", "cannot be reached"),
        ("full", "cannot be reached"),
        ("forgets", "cannot be reached"),
        ("cuts", "something else"),
        ("garbles", "something else"),
    ],
)
async def test_every_way_in_which_it_can_go_wrong_fails(tmp_path: Path, fault: Fault, said: str) -> None:
    async with examined(tmp_path, fault) as found:
        only(found, Verdict.FAILURE, said)


async def test_a_full_disk_is_told_from_a_proxy_in_between(tmp_path: Path) -> None:
    async with examined(tmp_path, "full") as full:
        assert "make room" in full[0].fix


async def test_without_a_link_it_was_not_tried(tmp_path: Path) -> None:
    only(await check(a_subject(tmp_path)), Verdict.FACT, "not tried")
