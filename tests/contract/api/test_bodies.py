"""Bodies that are not what they seem, on every route that takes one."""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Callable

import pytest

from controlplane.api.routing import Route
from controlplane.app import ROUTES
from tests.contract.api.service import Caller

BOMB = zlib.compress(bytes(16 << 20), 9)
WITH_BODY = [route for routes in ROUTES for route in routes.all if route.body is not None]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: f"{route.method} {route.path}")
async def test_no_document_is_unpacked(tenant: Caller, operator: Caller, route: Route, encoding: str) -> None:
    assert "unsupported_encoding" in await codes(route, tenant, operator, content=lambda: BOMB, encoding=encoding)


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: f"{route.method} {route.path}")
async def test_no_document_is_larger_than_its_route_takes(tenant: Caller, operator: Caller, route: Route) -> None:
    """With its length told, and without."""
    assert "too_large" in await codes(route, tenant, operator, content=lambda: bytes(300 * 1024))
    assert "too_large" in await codes(route, tenant, operator, content=in_pieces)


async def in_pieces() -> AsyncIterator[bytes]:
    for _ in range(300):
        yield bytes(1024)


async def codes(
    route: Route, tenant: Caller, operator: Caller, *, content: Callable[[], object], encoding: str = "identity"
) -> set[str]:
    """What the tenant and the operator are told; one of the two may use the route."""
    path, headers = re.sub(r"{[^}]*}", "123456789012", route.path), {"Content-Encoding": encoding}
    answers = [
        await caller.call(route.method, path, content=content(), headers=headers) for caller in (tenant, operator)
    ]
    return {answer.code for answer in answers}
