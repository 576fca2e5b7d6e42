"""The tenant of a service as a client of Elastic Transcoder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.compatibility import spelled_out
from tests.contract.api.service import Caller
from tests.contract.dialects.elastictranscoder.client import Client
from tests.contract.dialects.elastictranscoder.wire import Wire


@pytest.fixture
async def client(tenant: Caller) -> Client:
    return await Client.of(tenant)


@pytest.fixture
def wire(client: Client, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """What a test is marked with by `answers` is what was said or heard in it."""
    wire = Wire(client)
    yield wire
    marked = {field for mark in request.node.iter_markers("answers") for one in mark.args for field in spelled_out(one)}
    assert marked - wire.fields == set()
