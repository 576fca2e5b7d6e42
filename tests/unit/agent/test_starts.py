"""What an agent remembers of its own starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.starts import REMEMBERED, Starts, machine_boot
from shared.ids import BootId

A, B, C = map(BootId, "abc")


def test_the_first_start_has_none_before_it(tmp_path: Path) -> None:
    assert Starts(tmp_path / "starts.json").begin(A) == ()


def test_an_answered_start_is_the_one_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "starts.json"
    for before, boot_id in (((), A), ((A,), B), ((B,), C)):
        starts = Starts(path)
        assert starts.begin(boot_id) == before
        starts.answered(boot_id)


def test_starts_that_were_not_answered_may_have_been_heard(tmp_path: Path) -> None:
    path = tmp_path / "starts.json"
    first = Starts(path)
    first.begin(A)
    first.answered(A)
    Starts(path).begin(B)
    assert Starts(path).begin(C) == (A, B)


def test_the_answered_one_is_never_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "starts.json"
    first = Starts(path)
    first.begin(A)
    first.answered(A)
    for number in range(3 * REMEMBERED):
        before = Starts(path).begin(BootId(str(number)))
    assert before[0] == A
    assert len(before) == REMEMBERED + 1


@pytest.mark.parametrize("content", [b"", b"{", b'{"unanswered": 1}'])
def test_a_file_that_cannot_be_read_is_no_reason_not_to_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "starts.json").write_bytes(content)
    assert Starts(tmp_path / "starts.json").begin(A) == ()


def test_a_disk_that_takes_nothing_is_no_reason_not_to_start(tmp_path: Path) -> None:
    (tmp_path / "starts.json").mkdir()
    starts = Starts(tmp_path / "starts.json")
    starts.begin(A)
    starts.answered(A)


def test_the_machine_has_one_start_at_a_time() -> None:
    assert machine_boot() == machine_boot() != ""
