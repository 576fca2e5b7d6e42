"""The audit log: one row for every call that changed something, and for operators' looks at tenants' things."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import structlog

from controlplane.domain.auditing import Deed, Seal, Verdict, Verifier
from controlplane.services.acting import ACTING, Acting
from controlplane.services.pages import Pages
from controlplane.store.operations import audit
from controlplane.store.port import Item, Op, Reader, Store, T, Together
from shared.clock import Clock
from shared.errors import StorageFull, TranscoderError, Unavailable

log = structlog.get_logger()

HEAD_MS = 3_600_000
"""How often the newest seal is written to the service's log, where who writes the database cannot change it."""


class Sealer:
    """Follows the writers and chains what they committed, so that they never wait for each other."""

    def __init__(self, store: Store, clock: Clock, interval: float) -> None:
        self._store = store
        self._clock = clock
        self._interval = interval
        self._written = asyncio.Event()
        self._told: tuple[int, Seal] | None = None

    def wake(self) -> None:
        self._written.set()

    async def run(self) -> None:
        """First what an earlier process left; then whenever rows were added, gathering them for a moment."""
        self.wake()
        while True:
            await self._written.wait()
            self._written.clear()
            try:
                await self.seal()
            except (Unavailable, StorageFull) as error:
                log.error("seal.delayed", error=str(error))
                self.wake()
            await asyncio.sleep(self._interval)

    async def seal(self) -> None:
        """Everything that is committed."""
        newest = None
        while (made := await self._store.write(audit.seal())) is not None:
            newest = made
        now = self._clock.now_ms()
        if newest is not None and (self._told is None or now - self._told[0] >= HEAD_MS):
            self._tell(newest, now)

    async def close(self) -> None:
        """The service stops: nothing stays unsealed, and the log ends with the head."""
        await self.seal()
        self._tell(await self._store.read(audit.head()), self._clock.now_ms())

    def _tell(self, seal: Seal, now: int) -> None:
        if seal.id and (self._told is None or self._told[1] != seal):
            log.info("audit.head", head=str(seal))
            self._told = (now, seal)


class AuditedStore:
    """A store whose writes on behalf of a caller carry the caller's audit row with them, once per call."""

    def __init__(self, store: Store, clock: Clock, sealer: Sealer) -> None:
        self._store = store
        self._clock = clock
        self._sealer = sealer

    async def write(self, operation: Op[T], then: Callable[[T], None] | None = None) -> T:
        acting = ACTING.get()
        if acting is None or not acting.is_owed:
            return await self._store.write(operation, then)
        recorded = audit.recorded(operation, acting.act, self._clock.now_ms())
        return await _settled(acting, self._store.write(recorded, self._followed(then)))

    async def write_together(
        self,
        together: Together[Item, T],
        item: Item,
        then: Callable[[T], None] | None = None,
        foretell: Callable[[T], None] | None = None,
    ) -> T:
        acting = ACTING.get()
        if acting is None or not acting.is_owed:
            return await self._store.write_together(together, item, then, foretell)
        recorded = audit.recorded_together(together)
        asked = (item, acting.act, self._clock.now_ms())
        return await _settled(acting, self._store.write_together(recorded, asked, self._followed(then), foretell))

    def _followed(self, then: Callable[[T], None] | None) -> Callable[[T], None]:
        def committed(result: T) -> None:
            self._sealer.wake()
            if then is not None:
                then(result)

        return committed

    async def read(self, operation: Op[T]) -> T:
        return await self._store.read(operation)

    async def close(self) -> None:
        await self._store.close()


async def _settled(acting: Acting, writing: Awaitable[T]) -> T:
    """The row is owed no more while it is being written, and again when that was refused."""
    acting.is_owed = False
    try:
        return await writing
    except TranscoderError:
        acting.is_owed = True
        raise


class Audit:
    def __init__(self, store: Store, clock: Clock, pages: Pages, sealer: Sealer) -> None:
        self._store = store
        self._clock = clock
        self._pages = pages
        self._sealer = sealer

    async def settle(self, acting: Acting) -> None:
        """The row of a call that was carried out without a write: a link was signed, an object deleted, something looked at."""
        if acting.is_owed:
            acting.is_owed = False
            await self._store.write(audit.add(acting.act(), self._clock.now_ms()))
            self._sealer.wake()

    async def page(
        self, wanted: Mapping[str, str | None], page_token: str | None, size: int
    ) -> tuple[list[Deed], str | None]:
        """Newest first. A page may be short, or empty, and yet not be the last: it ends where it has looked at enough."""
        scope = ["audit", *sorted(f"{field}={value}" for field, value in wanted.items())]
        before = int(self._pages.read(page_token, scope)) if page_token else await self._store.read(audit.newest()) + 1
        found = await self._store.read(audit.page(wanted, before=before, size=size + 1))
        if len(found) > size:
            return found[:size], self._pages.make(str(found[size - 1].id), scope)
        rest = before - audit.SCANNED
        return found, self._pages.make(str(rest), scope) if rest > 1 else None


async def verify(store: Reader, known: Iterable[Seal] = ()) -> Verdict:
    """Goes through the whole log; `known` are heads from the service's log."""
    verifier, last = Verifier(known), None
    while True:
        deeds, seal = await store.read(audit.next_stretch(last))
        if seal is None:
            return verifier.end(deeds)
        verifier.stretch(deeds, seal)
        last = seal
