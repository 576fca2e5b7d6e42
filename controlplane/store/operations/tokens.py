"""Tokens: each stands for one request, and for what that request made."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

from controlplane.store.port import Calls, Op, Row, call
from shared.errors import IdempotencyMismatch
from shared.ids import TenantId


class Token(NamedTuple):
    """A client request token, and the request that it stands for."""

    dialect: str
    operation: str
    value: str
    fingerprint: str
    window_ms: int
    made_at: int = 0
    """The second, of those that are made for their requests: those of one time lie together in the index, so that many who
    come together write few of its pages."""


class Claim(NamedTuple):
    """That a tenant's token is to stand for an object that is being made."""

    name: str
    fingerprint: str
    object_id: str
    claimed_at: int
    expires_at: int


def a_claim(tenant_id: TenantId, token: Token, object_id: str, now: int) -> Claim:
    return Claim(_name(tenant_id, token), token.fingerprint, object_id, now, now + token.window_ms)


def claim(wanted: Sequence[Claim]) -> Op[list[str | IdempotencyMismatch]]:
    """The id of what each one's token stands for now: its own object, or what was made before, or is made by another here."""
    first: dict[str, Claim] = {}
    for one in wanted:
        first.setdefault(one.name, one)
    in_order = [first[name] for name in sorted(first)]  # as every other process claims them
    (claimed,) = yield Calls("claim_token", [one._asdict() for one in in_order], only_counted=True)
    if claimed["changed"] == len(wanted):
        return [one.object_id for one in wanted]
    standing: dict[str, tuple[str, str]] = {}
    for one in in_order:
        (kept,) = yield call("token", name=one.name)
        standing[one.name] = (kept["object_id"], kept["fingerprint"])
    return [_answer(one, *standing[one.name]) for one in wanted]


def claim_one(tenant_id: TenantId, token: Token | None, object_id: str, now: int) -> Op[str]:
    """The id of what a request with this token makes, or has made. Raises IdempotencyMismatch."""
    if token is None:
        return object_id
    (found,) = yield from claim([a_claim(tenant_id, token, object_id, now)])
    if isinstance(found, IdempotencyMismatch):
        raise found
    return found


def release(claims: Sequence[Claim]) -> Calls:
    """Of objects that were not made after all."""
    return Calls("release_token", [{"name": one.name, "object_id": one.object_id} for one in claims])


def stands_for(tenant_id: TenantId, token: Token, now: int) -> Op[str | None]:
    """The id of what this token made. Raises IdempotencyMismatch when that was for another request."""
    asked = a_claim(tenant_id, token, "", now)
    rows: Sequence[Row] = yield call("token", name=asked.name)
    if not rows or rows[0]["expires_at"] <= now:
        return None
    found = _answer(asked, rows[0]["object_id"], rows[0]["fingerprint"])
    if isinstance(found, IdempotencyMismatch):
        raise found
    return found


def _answer(asked: Claim, object_id: str, fingerprint: str) -> str | IdempotencyMismatch:
    if fingerprint == asked.fingerprint:
        return object_id
    return IdempotencyMismatch("This client request token was used for another request; make a new one.")


def _name(tenant_id: TenantId, token: Token) -> str:
    """Under which a token is kept: as short as can be, and no two alike."""
    whole = "\0".join((tenant_id, token.dialect, token.operation, token.value))
    digest = hashlib.blake2b(whole.encode(errors="surrogatepass"), digest_size=14).digest()
    return b64encode(token.made_at.to_bytes(4) + digest).decode()
