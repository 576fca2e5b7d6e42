"""A service, a tenant that uses it natively, and the same tenant as a client of Elastic Transcoder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.compatibility import spelled_out
from tests.contract.api.service import Caller, Node, Service, serving
from tests.contract.dialects.elastictranscoder.client import Client
from tests.contract.dialects.elastictranscoder.wire import Wire


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
async def operator(service: Service) -> Caller:
    return await service.operator()


@pytest.fixture
async def pipeline(tenant: Caller) -> str:
    return await tenant.pipeline()


@pytest.fixture
async def node(service: Service) -> Node:
    return await service.node()


@pytest.fixture
def wire(client: Client, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """What a test is marked with by `answers` is what was said or heard in it."""
    wire = Wire(client)
    yield wire
    marked = {field for mark in request.node.iter_markers("answers") for one in mark.args for field in spelled_out(one)}
    assert marked - wire.fields == set()
