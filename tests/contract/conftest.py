"""A service, a tenant and an operator, for every test of an API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.api.service import Caller, Node, Service, serving


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state") as service:
        yield service


@pytest.fixture
async def tenant(service: Service) -> Caller:
    return await service.tenant()


@pytest.fixture
async def operator(service: Service) -> Caller:
    return await service.operator()


@pytest.fixture
async def pipeline(tenant: Caller) -> str:
    return await tenant.pipeline()


@pytest.fixture
async def node(service: Service) -> Node:
    return await service.node()
