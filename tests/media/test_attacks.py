"""Hostile inputs against each defence alone: what ffmpeg is told to open, and what its sandbox lets it see."""

from __future__ import annotations

import asyncio
import functools
import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agent.media.argv import INPUT_GUARDS
from agent.process import StopRequest
from agent.sandbox.bubblewrap import Bubblewrap
from agent.sandbox.port import Limits
from tests.media.attacks import Canaries, attacks, canaries, shows_canary

pytestmark = pytest.mark.media

Run = Callable[[Sequence[str], Path], None]
GUARDS = [word for name, value in INPUT_GUARDS.items() for word in (f"-{name}", str(value))]


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canaries]:
    with canaries(tmp_path_factory.mktemp("somebody") / "else") as birds:
        yield birds


def unconfined(argv: Sequence[str], workspace: Path) -> None:
    subprocess.run(argv, cwd=workspace, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=60)


def confined(argv: Sequence[str], workspace: Path) -> None:
    limits = Limits(file_size=1 << 30, wall_time=60.0)
    run = sandbox().run(argv, workspace=workspace, limits=limits, on_stdout=lambda _: None, stop=StopRequest())
    asyncio.run(run)  # type: ignore[arg-type]


@functools.cache
def sandbox() -> Bubblewrap:
    sandbox = Bubblewrap()
    assert asyncio.run(sandbox.check()) is None
    return sandbox


def leaked(birds: Canaries, folder: Path, run: Run, guards: Sequence[str], *, named: bool) -> set[str]:
    """The attacks that got at somebody else's film; with `named`, ffmpeg is given the tenant's own file name."""
    found = set()
    for number, attack in zip(itertools.count(), attacks(birds), strict=False):
        workspace = folder / str(number)
        workspace.mkdir()
        name = attack.key if named else "input"
        (workspace / name).write_bytes(attack.content)
        if attack.name == "pattern of pictures":
            _neighbours(workspace, birds)
        before = len(birds.asked)
        run(["ffmpeg", "-v", "error", *guards, "-i", name, "-frames:v", "1", "-y", "out.png"], workspace)
        made = workspace / "out.png"
        if (made.exists() and shows_canary(made)) or len(birds.asked) > before:
            found.add(attack.name)
    return found


def _neighbours(workspace: Path, birds: Canaries) -> None:
    for picture in birds.directory.glob("film*.png"):
        shutil.copy(picture, workspace / picture.name.replace("film", "y"))


def test_a_careless_ffmpeg_leaks(birds: Canaries, tmp_path: Path) -> None:
    """Else the tests below would prove nothing."""
    found = leaked(birds, tmp_path, unconfined, ("-protocol_whitelist", "file,http,tcp,concat,subfile"), named=True)
    assert "pattern of pictures" in found
    assert {name for name in found if "file" in name}
    assert {name for name in found if "server" in name}
    assert len(found) >= 8, found


def test_what_ffmpeg_is_told_to_open_keeps_it_from_all_of_them(birds: Canaries, tmp_path: Path) -> None:
    assert leaked(birds, tmp_path, unconfined, GUARDS, named=False) == set()


def test_the_sandbox_alone_keeps_it_from_all_of_them(birds: Canaries, tmp_path: Path) -> None:
    names = leaked(birds, tmp_path, confined, (), named=False)
    assert names == set()


@pytest.mark.parametrize("graph", ["movie={film}[m];[in][m]overlay", "drawtext=textfile={words}"])
def test_not_even_filters_get_out_of_the_sandbox(birds: Canaries, tmp_path: Path, graph: str) -> None:
    """No tenant's word becomes a filter; if one did, this is what it would find."""
    text = graph.format(film=birds.film, words=birds.directory / "words.txt")
    source = ("-f", "lavfi", "-i", "color=black:s=320x180:d=1")
    argv = ["ffmpeg", "-v", "error", *source, "-vf", text, "-frames:v", "1", "-y", "out.png"]
    confined(argv, tmp_path)
    assert not (tmp_path / "out.png").exists()
    unconfined(argv, tmp_path)
    assert (tmp_path / "out.png").exists(), "it is the sandbox that kept it"
