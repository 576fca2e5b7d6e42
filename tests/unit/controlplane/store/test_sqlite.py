"""The database file itself."""

from __future__ import annotations

from pathlib import Path

from controlplane.store.sqlite import SqliteStore


async def test_nobody_but_its_owner_reads_the_database(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "transcoder.db")
    open_to_others = [file.name for file in tmp_path.iterdir() if file.stat().st_mode & 0o077]
    await store.close()
    assert open_to_others == []
