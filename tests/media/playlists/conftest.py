from __future__ import annotations

from pathlib import Path

import pytest

from tests.media.playlists.sites import film


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("films") / "film.mp4")
