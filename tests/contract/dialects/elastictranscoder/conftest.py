"""A service, a tenant that uses it natively, and the same tenant as a client of Elastic Transcoder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.api.service import Caller, Node, Service, serving
from tests.contract.dialects.elastictranscoder.client import Client


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state") as service:
        yield service


@pytest.fixture
async def tenant(service: Service) -> Caller:
    return await service.tenant()


@pytest.fixture
async def client(tenant: Caller) -> Client:
    return await Client.of(tenant)


@pytest.fixture
async def pipeline(tenant: Caller) -> str:
    return await tenant.pipeline()


@pytest.fixture
async def node(service: Service) -> Node:
    return await service.node()
