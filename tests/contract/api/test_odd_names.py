"""Names that nothing can have, asked of PostgreSQL: it takes no text with a NUL in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from controlplane.api.requests import ClusterChanges, NewLink, NewUpload, RetryOfFailed
from controlplane.app import ROUTES
from controlplane.domain.permissions import GRANTS, Role
from controlplane.http.calls import PLACEHOLDER
from controlplane.store.postgres import PostgresStore
from tests.contract.api.service import Caller, Service, serving
from tests.postgres import postgres_cluster, postgres_dsn

BODIES: Mapping[type[BaseModel], Any] = {
    NewLink: {"key": "x"},
    NewUpload: {"key": "x"},
    ClusterChanges: {"name": "x"},
    RetryOfFailed: {"failed_since": "2026-01-01T00:00:00Z"},
}

__all__ = ["postgres_cluster", "postgres_dsn"]


@pytest.fixture
async def service(tmp_path: Path, postgres_dsn: str) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state", store=await PostgresStore.open(postgres_dsn)) as service:
        yield service


async def test_nothing_is_found_at_them(service: Service, tenant: Caller, operator: Caller) -> None:
    await tenant.post("/v1/buckets", {"name": "bucket"})
    for route in [route for part in ROUTES for route in part.all if PLACEHOLDER.search(route.path)]:
        caller = operator if route.permission in GRANTS[Role.OPERATOR] else tenant
        path = PLACEHOLDER.sub("a%00b", route.path.replace("{bucket}/objects/", "bucket/objects/"))
        document = None if route.body is None else BODIES.get(route.body, {})
        assert (await caller.call(route.method, path, document)).fault == (404, "not_found", None), path


@pytest.mark.parametrize("path", ["/v1/keys?user_id=%00", "/v1/audit?user_id=%00", "/v1/audit?object=a%00b"])
async def test_lists_are_not_narrowed_by_them(tenant: Caller, path: str) -> None:
    assert (await tenant.get(path)).fault[:2] == (400, "invalid_field")


async def test_no_key_is_made_for_them(tenant: Caller) -> None:
    assert (await tenant.post("/v1/keys", {"user_id": "\0"})).fault == (400, "invalid_field", "/user_id")
