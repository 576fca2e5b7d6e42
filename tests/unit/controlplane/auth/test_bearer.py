"""Who is remembered, and for how long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from controlplane.auth import credentials
from controlplane.auth.bearer import Bearers
from controlplane.domain.throttle import Operation
from controlplane.store.records import KeyHolder
from shared.errors import Unauthenticated
from tests.clock import FakeClock

CREDENTIAL = credentials.make(credentials.API_KEY, "1")


class SlowStore:
    """Answers with what it saw when it was asked, once it is let."""

    def __init__(self) -> None:
        self.revoked_at: int | None = None
        self.asked = asyncio.Event()
        self.let = asyncio.Event()

    async def read(self, _: object) -> KeyHolder:
        seen: Any = {
            "secret_hash": CREDENTIAL.secret_hash,
            "sealed_secret": None,
            "expires_at": None,
            "revoked_at": self.revoked_at,
        }
        whose: Any = {"user_id": "us_1", "tenant_id": "1", "role": "tenant_user", "permissions": "[]"}
        holder = KeyHolder(**seen, **whose, rates="{}", suspended_at=None)
        self.asked.set()
        await self.let.wait()
        return holder


async def test_who_is_looked_up_while_a_key_is_revoked_is_not_remembered() -> None:
    store = SlowStore()
    bearers = Bearers(store, FakeClock(), dict.fromkeys(Operation, 60), 60)  # type: ignore[arg-type]
    header = f"Bearer {CREDENTIAL.text}"
    looking = asyncio.create_task(bearers.principal(header, lambda: "here"))
    await store.asked.wait()
    store.revoked_at = 1
    bearers.forget()
    store.let.set()
    assert (await looking).user_id == "us_1"
    with pytest.raises(Unauthenticated):
        await bearers.principal(header, lambda: "here")
