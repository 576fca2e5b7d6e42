"""One service for all clients, each with an account of its own and a film in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clips import clip
from tests.e2e.clients.account import FILM_CAPTIONS, Account, opened
from tests.e2e.stepping import WallClock
from tests.e2e.whole.service import SHORT, Service

ON_FIRST_USE = {"TRANSCODER_CREATE_BUCKETS_ON_FIRST_USE": "true"}
UNHURRIED = dict.fromkeys(("TRANSCODER_REQUESTS_PER_MINUTE", "TRANSCODER_CANCELS_PER_MINUTE"), "60000000")


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("service"), settings=SHORT | UNHURRIED | ON_FIRST_USE)
    try:
        service.start()
        yield service
    finally:
        service.end()


@pytest.fixture(scope="package")
def ahead(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Another one, whose clock goes an hour ahead: for it whatever its clients sign is old."""
    root = tmp_path_factory.mktemp("ahead")
    clock = WallClock(root / "clock")
    clock.set_by(3600)
    service = Service(root, program=clock.program)
    try:
        service.start_empty()
        yield service
    finally:
        service.end()


@pytest.fixture
def account(service: Service) -> Account:
    account = opened(service)
    account.call("POST", "/v1/buckets", {"name": "films-in"})
    account.put("films-in", "in/bunny.mp4", Path(clip("bunny")).read_bytes())
    account.put("films-in", "in/bunny.srt", FILM_CAPTIONS.encode())
    return account
