from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clips import clip
from tests.e2e.whole.service import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("service"))
    try:
        service.start()
        service.put("in/bunny.mp4", Path(clip("bunny")).read_bytes())
        service.put("in/trailer.mp4", Path(clip("trailer")).read_bytes())
        yield service
    finally:
        service.end()
