"""Signed links: whoever holds one may do just what it says, until it ends. Nothing about them is stored."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote

import orjson
from itsdangerous import BadData, URLSafeSerializer
from itsdangerous.encoding import base64_encode

from shared.clock import Clock
from shared.errors import LinkRefused
from shared.ids import TenantId

Action = Literal["get", "put", "stage", "check"]
PATH: Final = "/objects/"


class Link(NamedTuple):
    """What a link allows; `check` both ways, in no tenant's bucket.

    `get` covers every key that starts with `key`, when that ends with "/"; else exactly `key`.
    """

    action: Action
    tenant_id: TenantId
    bucket: str
    key: str
    expires_at: int

    def covers(self, key: str) -> bool:
        return key.startswith(self.key) if self.key.endswith("/") or not self.key else key == self.key


class _Serializer(URLSafeSerializer):
    """Spares itself the try whether a payload, which is a line here, becomes shorter by compression."""

    def dump_payload(self, obj: Any) -> bytes:
        return base64_encode(orjson.dumps(obj))


class Links:
    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._serializer = _Serializer(secret, salt="object-link")
        self._clock = clock

    def sign(self, action: Action, tenant_id: TenantId, bucket: str, key: str, *, seconds: float) -> str:
        """A path, to be joined with the address of the control plane."""
        expires_at = self._clock.now_ms() + int(seconds * 1000)
        token = self._serializer.dumps((action, tenant_id, bucket, key, expires_at))
        return f"{PATH}{token}/{quote(key)}"

    def read(self, token: str) -> Link:
        """Raises LinkRefused for any token that this service did not sign, or whose time is over."""
        try:
            link = Link(*self._serializer.loads(token))
        except (BadData, TypeError) as error:
            raise LinkRefused("This link is not one of ours.") from error
        if link.expires_at <= self._clock.now_ms():
            raise LinkRefused("This link has expired; ask for a new one.")
        return link
