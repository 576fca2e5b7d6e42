"""What the service tells its supervisor."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane import systemd


def test_a_supervisor_that_cannot_be_reached_ends_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    systemd.notify("READY=1")
