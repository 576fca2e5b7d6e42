"""Whether this ffmpeg has what command lines name: the real one has, a stand-in lacks one thing at a time."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from agent import media
from agent.doctor import Verdict
from agent.doctor.ffmpeg import FILTERS, MUXERS, check, is_too_old
from agent.media.planning.muxers import MUXERS as WRITTEN
from agent.sandbox.none import Unconfined
from tests.unit.agent.doctor.subjects import a_subject, only

STAND_IN = """#!/bin/sh
{broken}
/usr/bin/ffmpeg "$@" | sed -e 's/{without}/xxxx/g' -e 's/^ffmpeg version [^ ]*/ffmpeg version {version}/'
"""


def stand_in(tmp_path: Path, *, without: str = "^$", version: str = "5.1.9", broken: str = "") -> Unconfined:
    """This machine's ffmpeg, which says less of itself than there is."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "ffmpeg").write_text(STAND_IN.format(without=without, version=version, broken=broken))
    (tools / "ffmpeg").chmod(0o755)
    return Unconfined(environment={"PATH": f"{tools}:/usr/bin:/bin"})


async def test_this_machines_ffmpeg_has_everything(tmp_path: Path) -> None:
    only(await check(a_subject(tmp_path)), Verdict.GOOD, "every encoder, filter, format and option")


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ("libx264", "no encoder libx264"),
        ("bwdif", "no filter bwdif"),
        ("mpegts", "no muxer mpegts"),
        ("matroska", "no demuxer matroska"),
        ("^  pipe$", "no protocol pipe"),
        ("-format_whitelist", "no option -format_whitelist"),
    ],
)
async def test_whatever_is_missing_fails_by_name(tmp_path: Path, without: str, missing: str) -> None:
    found = await check(a_subject(tmp_path, sandbox=stand_in(tmp_path, without=without)))
    assert {finding.verdict for finding in found} == {Verdict.FAILURE}
    assert any(missing in finding.said for finding in found)


async def test_an_old_ffmpeg_fails(tmp_path: Path) -> None:
    found = await check(a_subject(tmp_path, sandbox=stand_in(tmp_path, version="4.4.2-0ubuntu0")))
    only(found, Verdict.FAILURE, "4.4.2-0ubuntu0 is older than 5.1")


async def test_an_ffmpeg_that_does_not_run_fails_with_its_words(tmp_path: Path) -> None:
    broken = "echo libavcodec.so.59: cannot open shared object file >&2; exit 127"
    found = await check(a_subject(tmp_path, sandbox=stand_in(tmp_path, broken=broken)))
    only(found, Verdict.FAILURE, "libavcodec.so.59")


@pytest.mark.parametrize(
    ("version", "is_old"),
    [
        ("5.1.9-0+deb12u1", False),
        ("4.4", True),
        ("5.0.3", True),
        ("n7.1-3", False),
        ("N-119-g1a2b", False),
        ("9.0.2", False),
    ],
)
def test_versions_are_understood(version: str, is_old: bool) -> None:
    assert is_too_old(version) is is_old


def test_every_filter_that_a_graph_can_have_is_asked_for() -> None:
    folder = Path(media.__file__).parent
    named = {name for module in folder.rglob("*.py") for name in _filters_of(module.read_text())}
    assert "fps" in named
    assert {name for name in named if not name.endswith("_cuda") and name not in ("hwdownload", "hwupload")} <= FILTERS


def test_every_muxer_that_an_output_can_have_is_asked_for() -> None:
    assert {options["f"] for options in WRITTEN.values()} <= MUXERS


def _filters_of(source: str) -> set[str]:
    """Names in calls of `filter`, wherever they are chosen by a condition too."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    first = [
        node.args[0]
        for node in calls
        if isinstance(node.func, ast.Attribute) and node.func.attr == "filter" and node.args
    ]
    words = [word for argument in first for word in ast.walk(argument) if isinstance(word, ast.Constant)]
    return {word.value for word in words if isinstance(word.value, str)}
