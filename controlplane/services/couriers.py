"""Sends what the outbox holds: each endpoint has a line of its own, so that a slow one delays nobody else."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson
import structlog

from controlplane import metrics
from controlplane.domain.notifications import DeliveryState, EndpointKind, Verdict, next_try, verdict
from controlplane.services.signals import Signals, is_set_within
from controlplane.store.operations import outbox
from controlplane.store.operations.outbox import Message, Sent
from controlplane.store.port import Store
from controlplane.store.records import Delivery
from shared.clock import Clock, read_http_date, to_datetime
from shared.errors import StorageFull, Unavailable
from shared.ids import EndpointId

log = structlog.get_logger()

AT_ONCE: Final = 2
"""Messages under way to one endpoint."""
GATHERED: Final = 0.1
"""Seconds between two looks: jobs change all the time, and few changes are told to anybody."""
LOOK_SECONDS: Final = 5.0
"""At least as often, for what another process has written."""
MOST_NOTED: Final = 30
"""The last tries of one message: it may be sent again and again."""
GONE: Final = "It answered 410 Gone."


class Answer(Protocol):
    """What came back: a status, or why there is none."""

    @property
    def status(self) -> int | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def retry_after(self) -> str | None: ...


class Poster(Protocol):
    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer: ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Letter:
    """A message as it goes out."""

    headers: Mapping[str, str]
    body: bytes


Writer = Callable[[Message], Awaitable[Letter]]
"""Makes the letter of a message: always the same, but for what proves that it was sent now. Raises TranscoderError."""


@dataclass(frozen=True)
class _Unwritten:
    """In the place of an answer, where there was no letter."""

    status: None = None
    error: str = "The message could not be made; the service's log says why."
    retry_after: None = None


class Courier:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        signals: Signals,
        post: Poster,
        writers: Mapping[EndpointKind, Writer],
        *,
        claim: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """What a process has taken to send is anybody's again after `claim` seconds, which is longer than `post` takes."""
        self._store = store
        self._clock = clock
        self._signals = signals
        self._post = post
        self._writers = writers
        self._claim_ms = int(claim * 1000)
        self._chance = chance
        self._changed = asyncio.Event()
        self._at_work: Counter[EndpointId] = Counter()
        self._passed_over: set[EndpointId] = set()
        """Something was due for them while as many were at work as may be, who may not have seen it when they end."""

    def wake(self) -> None:
        """Something is to be sent that is about no job's change."""
        self._changed.set()

    async def run(self) -> None:
        """First what an earlier process left."""
        try:
            with self._signals.listening_to_all() as self._changed:
                async with asyncio.TaskGroup() as lines:
                    while True:
                        self._changed.clear()
                        pause = await self._begin_lines(lines)
                        await is_set_within(pause, self._changed)
                        await asyncio.sleep(GATHERED)
        finally:
            await self._post.close()

    async def _begin_lines(self, lines: asyncio.TaskGroup) -> float:
        """Starts work for whoever something is due for; seconds until there is more."""
        try:
            due = await self._store.read(outbox.due())
        except Unavailable as error:
            log.error("deliveries.delayed", error=str(error))
            return LOOK_SECONDS
        now = self._clock.now_ms()
        for endpoint_id, due_at in due.items():
            if due_at <= now and self._at_work[endpoint_id] == AT_ONCE:
                self._passed_over.add(endpoint_id)
            while due_at <= now and self._at_work[endpoint_id] < AT_ONCE:
                self._at_work[endpoint_id] += 1
                lines.create_task(self._serve(endpoint_id), name=f"delivering to {endpoint_id}")
        later = [due_at - now for due_at in due.values() if due_at > now]
        return min([LOOK_SECONDS, *(ms / 1000 for ms in later)])

    async def _serve(self, endpoint_id: EndpointId) -> None:
        """Whatever is due for this endpoint, one after the other, until nothing is."""
        try:
            message = await self._exchange(endpoint_id, None)
            while message is not None:
                message = await self._exchange(endpoint_id, await self._sent(message))
            if endpoint_id in self._passed_over:
                self._passed_over.discard(endpoint_id)
                self._changed.set()
        except (Unavailable, StorageFull) as error:
            log.error("deliveries.delayed", endpoint_id=endpoint_id, error=str(error))
        finally:
            self._at_work[endpoint_id] -= 1
            if not self._at_work[endpoint_id]:
                del self._at_work[endpoint_id]

    async def _exchange(self, endpoint_id: EndpointId, sent: Sent | None) -> Message | None:
        now = self._clock.now_ms()
        return await self._store.write(outbox.exchange(endpoint_id, sent, now=now, until=now + self._claim_ms))

    async def _sent(self, message: Message) -> Sent:
        began_at, began = self._clock.now_ms(), self._clock.monotonic()
        answer = await self._answer(message)
        took = round((self._clock.monotonic() - began) * 1000)
        noted = {"at": began_at, "status": answer.status, "error": answer.error, "took": took}
        sent = self._judged(message.delivery, answer, noted)
        outcome = (
            "delivered" if sent.state is DeliveryState.DELIVERED else "given_up" if sent.due_at is None else "failed"
        )
        metrics.DELIVERIES.labels(message.endpoint.kind, outcome).inc()
        log.info(
            f"delivery.{outcome}",
            message_id=message.delivery.id,
            endpoint_id=message.endpoint.id,
            status=answer.status,
            error=answer.error,
        )
        return sent

    async def _answer(self, message: Message) -> Answer:
        try:
            letter = await self._writers[message.endpoint.kind](message)
        except Exception:  # it is tried again at every start: one that cannot be written must not end the service
            log.exception("delivery.unwritten", message_id=message.delivery.id)
            return _Unwritten()
        return await self._post.send(message.endpoint.url, letter.headers, letter.body)

    def _judged(self, delivery: Delivery, answer: Answer, noted: Mapping[str, Any]) -> Sent:
        attempts = orjson.dumps([*orjson.loads(delivery.attempts), noted][-MOST_NOTED:]).decode()
        now = self._clock.now_ms()
        match verdict(answer.status):
            case Verdict.DELIVERED:
                return Sent(delivery, attempts, DeliveryState.DELIVERED)
            case Verdict.GONE:
                return Sent(delivery, attempts, DeliveryState.FAILED, disables=GONE)
            case Verdict.AGAIN:
                due_at = next_try(
                    begun_at=delivery.begun_at,
                    tries=delivery.tries,
                    now=now,
                    retry_after_ms=_milliseconds(answer.retry_after, now),
                    chance=self._chance(),
                )
                state = DeliveryState.FAILED if due_at is None else DeliveryState.PENDING
                return Sent(delivery, attempts, state, due_at)


def _milliseconds(retry_after: str | None, now: int) -> int | None:
    """Of a header that holds seconds, or a date; None for one that holds neither."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return int(retry_after[:9]) * 1000
    try:
        asked = read_http_date(retry_after)
    except ValueError:
        return None
    return max(0, int((asked - to_datetime(now)).total_seconds() * 1000))
