"""Calls by the names of the vendor's operations, in the vendor's own model, and the fields that were said and heard in them."""

from __future__ import annotations

from typing import Any

from tests.compatibility import model, said
from tests.contract.dialects.elastictranscoder.client import Client


class Wire:
    """Calls by the names of operations, and what was said and heard."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.fields: set[str] = set()

    async def call(self, operation: str, **asked: Any) -> Any:
        told = model()["operations"][operation]
        members = model()["shapes"][told["input"]["shape"]]["members"]
        self.fields.update(said(told["input"]["shape"], asked))
        path = told["http"]["requestUri"].removeprefix("/2012-09-25").format(**asked)
        query = "&".join(f"{name}={asked[name]}" for name in asked if members[name].get("location") == "querystring")
        body = {name: value for name, value in asked.items() if "location" not in members[name]}
        target = f"{path}?{query}" if query else path
        answer = await self.client.call(told["http"]["method"], target, body or None)
        assert answer.status == told["http"].get("responseCode", 200), answer.content
        self.fields.update(said(told["output"]["shape"], answer.json))
        return answer.json

    async def buckets(self, *names: str) -> None:
        for name in names:
            assert (await self.client.caller.post("/v1/buckets", {"name": name})).status == 201
