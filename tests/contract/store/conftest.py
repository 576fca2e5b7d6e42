"""One world, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.store.databases import Database, PostgresDatabase, SqliteDatabase
from tests.contract.store.world import World
from tests.postgres import postgres_cluster, postgres_dsn

__all__ = ["postgres_cluster", "postgres_dsn"]


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return SqliteDatabase(tmp_path / "transcoder.db")
    return PostgresDatabase(await request.getfixturevalue("postgres_cluster").fresh_dsn())


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    store = await database.open()
    try:
        yield await World.create(store, database)
    finally:
        await store.close()
