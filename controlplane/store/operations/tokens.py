"""Tokens: each stands for one request, and for what that request made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from controlplane.store.port import Calls, Op, Row, call
from shared.errors import IdempotencyMismatch
from shared.ids import TenantId

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Token:
    """A client request token, and the request that it stands for."""

    dialect: str
    operation: str
    value: str
    fingerprint: str
    window_ms: int


class Claim(NamedTuple):
    """That a tenant's token is to stand for an object that is being made."""

    key: Key
    token: Token
    object_id: str
    now: int


def a_claim(tenant_id: TenantId, token: Token, object_id: str, now: int) -> Claim:
    return Claim((tenant_id, token.dialect, token.operation, token.value), token, object_id, now)


def claim(wanted: Sequence[Claim]) -> Op[list[str | IdempotencyMismatch]]:
    """The id of what each one's token stands for now: its own object, or what was made before, or is made by another here."""
    first: dict[Key, Claim] = {}
    for one in wanted:
        first.setdefault(one.key, one)
    in_order = [first[key] for key in sorted(first)]  # as every other process claims them
    rows = yield Calls("claim_token", [_params(one) for one in in_order])
    ours = {row["object_id"] for row in rows}
    standing: dict[Key, tuple[str, str]] = {}
    for one in in_order:
        if one.object_id in ours:
            standing[one.key] = (one.object_id, one.token.fingerprint)
        else:
            (kept,) = yield call("token", **_place(one))
            standing[one.key] = (kept["object_id"], kept["fingerprint"])
    return [_answer(one, *standing[one.key]) for one in wanted]


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
    return Calls("release_token", [{**_place(one), "object_id": one.object_id} for one in claims])


def stands_for(tenant_id: TenantId, token: Token, now: int) -> Op[str | None]:
    """The id of what this token made. Raises IdempotencyMismatch when that was for another request."""
    asked = a_claim(tenant_id, token, "", now)
    rows: Sequence[Row] = yield call("token", **_place(asked))
    if not rows or rows[0]["expires_at"] <= now:
        return None
    found = _answer(asked, rows[0]["object_id"], rows[0]["fingerprint"])
    if isinstance(found, IdempotencyMismatch):
        raise found
    return found


def _answer(asked: Claim, object_id: str, fingerprint: str) -> str | IdempotencyMismatch:
    if fingerprint == asked.token.fingerprint:
        return object_id
    return IdempotencyMismatch("This client request token was used for another request; make a new one.")


def _params(one: Claim) -> dict[str, Any]:
    fingerprint, expires_at = one.token.fingerprint, one.now + one.token.window_ms
    made = {"fingerprint": fingerprint, "object_id": one.object_id, "expires_at": expires_at, "now": one.now}
    return _place(one) | made


def _place(one: Claim) -> dict[str, Any]:
    tenant_id, dialect, operation, token = one.key
    return {"tenant_id": tenant_id, "dialect": dialect, "operation": operation, "token": token}
