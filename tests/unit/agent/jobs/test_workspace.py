"""One directory per attempt, gone however it is left."""

from pathlib import Path

import pytest

from agent.jobs.workspace import name_of, remove_leftovers, workspace
from tests.unit.agent.builders import a_ref


async def test_only_the_agent_can_enter_it_and_it_goes_when_it_is_left(tmp_path: Path) -> None:
    async with workspace(tmp_path, a_ref()) as space:
        assert {path.stat().st_mode & 0o777 for path in (space.root, space.out, space.root / "in")} == {0o700}
        (space.out / "o0.mp4").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []


async def test_it_goes_when_the_work_fails_too(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        async with workspace(tmp_path, a_ref()):
            raise LookupError
    assert list(tmp_path.iterdir()) == []


async def test_it_is_fresh_even_where_something_was_left(tmp_path: Path) -> None:
    (tmp_path / name_of(a_ref()) / "out").mkdir(parents=True)
    (tmp_path / name_of(a_ref()) / "out" / "o0.mp4").write_bytes(b"old")
    async with workspace(tmp_path, a_ref()) as space:
        assert space.files() == {}


async def test_links_are_not_files(tmp_path: Path) -> None:
    async with workspace(tmp_path, a_ref()) as space:
        (space.out / "o0.mp4").write_bytes(b"made")
        (space.out / "o1.mp4").symlink_to("/etc/passwd")
        assert space.files() == {"o0.mp4": 4}
        assert space.read("o0.mp4", 1, 2) == b"ad"


async def test_what_a_failed_pass_left_goes_and_what_others_made_stays(tmp_path: Path) -> None:
    async with workspace(tmp_path, a_ref()) as space:
        (space.out / "o0.mp4").write_bytes(b"good")
        before = space.files()
        (space.out / "o1.mp4").write_bytes(b"half")
        (space.out / "o2.mp4").symlink_to("/etc/passwd")
        space.keep_only(before)
        assert sorted(path.name for path in space.out.iterdir()) == ["o0.mp4"]


def test_leftovers_go_and_what_a_link_names_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    work = tmp_path / "work"
    (work / "tk_1.1" / "out").mkdir(parents=True)
    (work / "tk_2.1").symlink_to(elsewhere)
    assert remove_leftovers(work) == 2
    assert list(work.iterdir()) == []
    assert elsewhere.exists()


@pytest.mark.parametrize("task", ["../tk", "", "a/b", ".hidden", "a" * 100, "tk\n"])
def test_a_name_that_leads_elsewhere_is_refused(task: str) -> None:
    with pytest.raises(ValueError, match="cannot name"):
        name_of(a_ref(task))
