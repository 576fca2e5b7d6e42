"""A program that was written for Elastic Transcoder, against the control plane behind a real socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from shared.clock import to_datetime
from tests.contract.api.service import Answer, Caller
from tests.contract.dialects.elastictranscoder.signing import Signer

VERSION: Final = "/2012-09-25"
ROLE: Final = "arn:aws:iam::123456789012:role/transcoder"


class Client:
    """Of a tenant's user, whose bearer key `caller` has."""

    def __init__(self, caller: Caller, signer: Signer) -> None:
        self.caller = caller
        self.service = caller.service
        self.signer = signer

    @classmethod
    async def of(cls, caller: Caller, **wishes: Any) -> Client:
        """With a key that `caller` makes, for itself or for whom `wishes` name."""
        made = await caller.post("/v1/keys", {"kind": "sigv4", **wishes})
        assert made.status == 201, made.content
        return cls(caller, Signer(made.json["access_key_id"], made.json["secret_access_key"]))

    async def call(
        self, method: str, path: str, document: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """`path` below the version, as it is sent; `document` is JSON, or bytes that are sent as they are."""
        body = document if isinstance(document, bytes) else b"" if document is None else json.dumps(document).encode()
        return await self.send(method, VERSION + path, body, self.signed(method, VERSION + path, body, headers))

    def signed(self, method: str, target: str, body: bytes, headers: Mapping[str, str] | None = None) -> dict[str, str]:
        """The headers of a request that is signed now."""
        now = to_datetime(self.service.clock.now_ms())
        more = {"Content-Type": "application/x-amz-json-1.0", **(headers or {})}
        return self.signer.headers(method, urlsplit(self.service.url).netloc, target, body, now, more)

    async def send(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return await self.service.call(method, target, content=body or None, headers=headers)

    async def get(self, path: str) -> Answer:
        return await self.call("GET", path)

    async def post(self, path: str, document: Any = None) -> Answer:
        return await self.call("POST", path, document)

    async def put(self, path: str, document: Any = None) -> Answer:
        return await self.call("PUT", path, document)

    async def delete(self, path: str) -> Answer:
        return await self.call("DELETE", path)


def told(answer: Answer) -> tuple[int, str, str]:
    """Of a refusal: its status, its name and its sentence."""
    return answer.status, answer.headers["x-amzn-ErrorType"], answer.json["message"]
