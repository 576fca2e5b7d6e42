"""Files that become others take room on the disk once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.jobs.draining import STEP, Draining
from agent.jobs.encryption import PORTION, decrypt, encrypt
from shared.jobspec.encryption import EncryptionMode
from tests.unit.agent.jobs.test_encryption import a_cipher

SIZE = 5 * STEP + 12_345
BLOCK = 64 << 10


def room(*files: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in files)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(SIZE))
    return path


def test_what_was_taken_gives_back_its_room(file: Path) -> None:
    content, taken, before = file.read_bytes(), b"", room(file)
    with file.open("r+b") as source:
        draining = Draining(source)
        assert draining.read(SIZE - 10, 10) == content[-10:], "what is looked at beforehand stays"
        for at in range(0, SIZE, PORTION):
            taken += draining.take(at, PORTION)
            assert room(file) <= before - at // STEP * STEP + BLOCK
    assert taken == content
    assert file.stat().st_size == SIZE


@pytest.mark.parametrize("mode", EncryptionMode)
def test_a_file_is_encrypted_within_its_own_room(
    file: Path, mode: EncryptionMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, most, becoming = file.read_bytes(), [0], file.with_name("file.becoming")
    take = Draining.take

    def watched(self: Draining, offset: int, length: int) -> bytes:
        most[0] = max(most[0], room(file, becoming))
        return take(self, offset, length)

    monkeypatch.setattr(Draining, "take", watched)
    encrypt(file, a_cipher(mode))
    assert file.read_bytes() != content
    decrypt(file, a_cipher(mode))
    assert file.read_bytes() == content
    assert SIZE - STEP < most[0] < 1.5 * SIZE
