"""From a signed request to a Principal: the keys that vendors' clients sign with."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple

import structlog

from controlplane.auth import sigv4
from controlplane.auth.bearer import KNOWN_SECONDS, MOST_KNOWN, Bearers
from controlplane.auth.content_keys import Seal
from controlplane.auth.principal import Principal
from controlplane.store.operations import identity
from controlplane.store.port import Store
from controlplane.store.records import KeyHolder
from shared.clock import Clock, to_datetime
from shared.errors import Forbidden, NotFound, Unauthenticated
from shared.ids import KeyId, TenantId

log = structlog.get_logger()

PREFIX: Final = "AKIA"
_CALL: Final = b"amz-sdk-invocation-id"
_CALL_OF_OTHERS: Final = b"aws-sdk-invocation-id"
"""Of the SDKs for PHP and Android."""
_REGION: Final = re.compile(r"[a-z]{2,3}(-[a-z]{1,16}){1,3}-[0-9]{1,2}", re.ASCII)
_ID_LETTERS: Final = string.ascii_uppercase + "234567"
_SECRET_LETTERS: Final = string.ascii_letters + string.digits
"""No signs: nothing has to be quoted, wherever a secret is written down."""


class Mode(StrEnum):
    """What is asked of those who call a vendor's dialect."""

    SIGNED = "signed"
    KEY_ONLY = "key-only"
    OFF = "off"


class AccessKey(NamedTuple):
    """In the form that vendors' clients take: twenty letters and forty."""

    id: KeyId
    secret: str


class Replay(NamedTuple):
    """By what a request is known when it comes again.

    A signature is made of a whole second: clients number their calls in a header which they do not sign, so that two calls in
    one second that ask for the same are two.
    """

    token: str
    signed_at: int
    """In seconds."""


class Signed(NamedTuple):
    """A request that was let in, with its body."""

    principal: Principal
    sent: bytes
    replay: Replay | None
    """The same for what was sent twice, byte by byte; None where signatures are not checked."""
    region: str | None = None
    """The one that the client means to speak to, when it names one in the form that regions have."""


class _Known(NamedTuple):
    principal: Principal
    secret: str
    until: float  # on the monotonic clock
    expires_at: int | None


def make() -> AccessKey:
    key_id = PREFIX + "".join(secrets.choice(_ID_LETTERS) for _ in range(16))
    return AccessKey(KeyId(key_id), "".join(secrets.choice(_SECRET_LETTERS) for _ in range(40)))


def sealed(seal: Seal, key: AccessKey) -> str:
    """What is stored: the secret, which must be known again to check what it has signed."""
    return seal.close(key.id, key.secret.encode()).hex()


class AccessKeys:
    def __init__(self, store: Store, clock: Clock, bearers: Bearers, seal: Seal, mode: Mode) -> None:
        self._store = store
        self._clock = clock
        self._bearers = bearers
        self._seal = seal
        self._mode = mode
        self._known: dict[str, _Known] = {}
        if mode is not Mode.SIGNED:
            log.warning("dialects.unsigned", mode=mode, hint="dialect_auth: signatures of callers are not checked")

    async def caller(
        self, head: sigv4.Head, body: Callable[[], Awaitable[bytes]], address: Callable[[], str]
    ) -> Signed:
        """Whoever signed a request; `body` reads what is signed with it, and is asked only once the key is known.

        Raises Unauthenticated in one of the forms of `sigv4`, or Throttled for an address that was wrong too often.
        """
        text = head.headers.get(b"authorization", b"").decode("latin-1")
        if self._mode is Mode.OFF:
            if b"origin" in head.headers or not _is_this_machine(head.headers.get(b"host", b"").decode("latin-1")):
                raise Forbidden("A page of some other site asks, in a browser: where nobody signs, none is let in.")
            return Signed(await self._anybody(text), await body(), None)
        claimed = sigv4.readable(text)
        known = self._known.get(claimed.access_key_id) if claimed is not None else None
        if claimed is None or known is None or not self._is_fresh(known):
            introduced = self._introduced(text, head, body)
            return await self._bearers.guessed(address, introduced, is_known=known is not None)
        try:
            return self._checked(claimed, known, head, await body())
        except Unauthenticated:
            self._bearers.count_wrong(address)
            raise

    def forget(self) -> None:
        """Somebody may do less, or more, from now on: everybody is asked anew."""
        self._known = {}

    async def _introduced(self, authorization: str, head: sigv4.Head, body: Callable[[], Awaitable[bytes]]) -> Signed:
        """Who is let in is remembered; also when it has to be looked up again, so that no guesser from there keeps it out."""
        claimed = sigv4.claim(authorization)
        remembered = self._known  # what is looked up while everybody is forgotten may be out of date: it is not kept
        try:
            known = await self._found(claimed.access_key_id)
        except Unauthenticated:
            remembered.pop(claimed.access_key_id, None)
            raise
        let_in = self._checked(claimed, known, head, await body())
        if len(remembered) >= MOST_KNOWN:
            remembered.clear()
        remembered[claimed.access_key_id] = known
        return let_in

    def _checked(self, claimed: sigv4.Claim, known: _Known, head: sigv4.Head, sent: bytes) -> Signed:
        region = _region(claimed.scope[1])
        if self._mode is Mode.KEY_ONLY:
            return Signed(known.principal, sent, None, region)
        signed_at = sigv4.check(claimed, known.secret, head, sent, to_datetime(self._clock.now_ms()))
        call = (head.headers.get(_CALL) or head.headers.get(_CALL_OF_OTHERS, b"")).decode("latin-1")
        return Signed(known.principal, sent, Replay(f"{claimed.signature} {call}", int(signed_at.timestamp())), region)

    def _is_fresh(self, known: _Known) -> bool:
        """What was looked up holds for a second."""
        return known.until > self._clock.monotonic() and not self._is_over(known.expires_at)

    async def _found(self, key_id: str) -> _Known:
        holder = await self._store.read(identity.key_holder(KeyId(key_id))) if "\0" not in key_id else None
        if holder is None or holder.sealed_secret is None or not self._is_good(holder):
            raise sigv4.UnknownAccessKey("The security token included in the request is invalid.")
        secret = self._seal.open(key_id, bytes.fromhex(holder.sealed_secret)).decode()
        until = self._clock.monotonic() + KNOWN_SECONDS
        return _Known(self._bearers.principal_of(holder), secret, until, holder.expires_at)

    def _is_good(self, holder: KeyHolder) -> bool:
        return holder.revoked_at is None and not self._is_over(holder.expires_at)

    def _is_over(self, expires_at: int | None) -> bool:
        return expires_at is not None and expires_at <= self._clock.now_ms()

    async def _anybody(self, authorization: str) -> Principal:
        """The holder of the key that is named, the admin of the tenant whose number stands in its place, or of the first."""
        named = sigv4.claimed_id(authorization)
        try:
            return (await self._found(named)).principal
        except Unauthenticated:
            tenants = await self._store.read(identity.tenants("", 1))
        try:
            return await self._admin(TenantId(named.replace("\0", "")))
        except NotFound:
            if not tenants:
                raise sigv4.UnknownAccessKey("There is no tenant yet.") from None
            return await self._admin(tenants[0].id)

    async def _admin(self, tenant_id: TenantId) -> Principal:
        return self._bearers.principal_of(await self._store.read(identity.admin_holder(tenant_id)))


@lru_cache(256)
def _region(named: str) -> str | None:
    return named if _REGION.fullmatch(named) else None


def _is_this_machine(host: str) -> bool:
    """A site whose name leads here, all of a sudden, still sends its own name."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
