"""Brings waiting work and waiting nodes together, the moment that both are there."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from controlplane import metrics
from controlplane.domain.placement import Offer
from controlplane.services.leases import Leases
from controlplane.services.orders import Orders, orders_to_be
from controlplane.services.signals import Signals
from controlplane.services.tempo import Tempo
from controlplane.settings import Settings
from controlplane.store.operations import dispatch, fleet, granting
from controlplane.store.port import Store
from controlplane.store.records import Node
from shared.clock import Clock
from shared.errors import StaleLease, StorageFull, Unavailable
from shared.ids import NodeId
from shared.protocol import AttemptRef, HelloAnswer, HelloRequest, Order, PollAnswer, PollRequest, StopTask
from shared.statuses import NodeState

log = structlog.get_logger()

_GRANTED = metrics.LEASES.labels("granted")

REDELIVERY_MS: Final = 500
"""An order is repeated when nothing came of it for this long: the answer that held it may have been lost."""
RETRY_SECONDS: Final = 1.0
"""Between rounds while the database is away."""
REST_OF_LANES_SECONDS: Final = 0.25
"""Until a round looks at other lanes, where nothing came of those that the last one looked at."""


@dataclass
class _Waiter:
    """A poll that is being held. Without an offer it waits for other orders."""

    request: PollRequest
    offer: Offer | None
    answer: asyncio.Future[list[granting.Grant]]
    is_owed: bool = False
    """Its node was told an order of which nothing has come yet."""

    def closed(self) -> list[granting.Grant]:
        """What it was given by now; nothing more is."""
        given = self.answer.result() if self.answer.done() else []
        self.answer.cancel()
        return given


class Dispatcher:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        signals: Signals,
        orders: Orders,
        leases: Leases,
        tempo: Tempo,
        settings: Settings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals
        self._orders = orders
        self._leases = leases
        self._tempo = tempo
        self._settings = settings
        self._waiters: dict[NodeId, _Waiter] = {}
        self._told: dict[tuple[str, AttemptRef], int] = {}
        self._heard: dict[NodeId, int] = {}
        self._work = asyncio.Event()
        self._has_new = False
        self._numbers = itertools.count()
        self._next_at: int | None = None
        self._closing = False

    def wake(self, *, has_new: bool = False) -> None:
        """There may be work for somebody who waits; surely, where a task has just come."""
        self._has_new |= has_new
        self._work.set()

    def interrupt(self, node_id: NodeId) -> None:
        """Something this node runs must stop: its poll is answered now."""
        self._heard.pop(node_id, None)
        self._tell(node_id, [])

    def release_all(self) -> None:
        """Answers every held poll, with nothing: the service stops."""
        self._closing = True
        for waiter in self._waiters.values():
            if not waiter.answer.done():
                waiter.answer.set_result([])

    async def hello(self, node: Node, request: HelloRequest) -> tuple[HelloAnswer, list[dispatch.Lost]]:
        facts = request.facts.model_dump_json()
        lost = await self._store.write(
            dispatch.hello(
                node.id,
                _start(request),
                facts,
                now=self._clock.now_ms(),
                lease=self._tempo.lease_ms,
                rules=self._settings.rules,
            )
        )
        await self._tempo.count_nodes(self._store)
        log.info("node.started", node_id=node.id, boot_id=request.boot_id, requeued=len(lost))
        self.interrupt(node.id)
        for ended in lost:
            self._signals.changed(ended.job_id)
        self.wake()
        is_draining = node.state is NodeState.DRAINING
        answer = HelloAnswer(timings=self._tempo.timings, draining=is_draining, server_time_ms=self._clock.now_ms())
        return answer, lost

    async def poll(self, node: Node, request: PollRequest) -> PollAnswer:
        """Held until there are orders for this node, or the time is over."""
        if node.boot_id != request.boot_id or node.facts is None:
            node = await self._store.read(dispatch.node(node.id))  # it may have started since it was looked up
        if node.boot_id != request.boot_id or node.facts is None:
            await self._leases.hear_older(node, request.boot_id)
            raise StaleLease("Another agent has started with this node's credential; say hello first.")
        waiter = self._register(node, request)
        try:
            orders = orders_to_be(node, request)
            if self._is_due(node.id):
                orders += await self._unheard_orders(node, waiter)
            else:
                waiter.is_owed = True  # perhaps: what it was told just now need not be on disk yet
            if orders:
                orders += await self._start_orders(waiter.closed())
            elif not self._closing:
                self.wake()
                orders = await self._hold(node, waiter, request.wait)
        finally:
            if self._waiters.get(node.id) is waiter:
                del self._waiters[node.id]
        return PollAnswer(orders=tuple(orders), timings=self._tempo.timings)

    async def run(self) -> None:
        """Rounds, one after the other, each started by an event: a task, a node, a slot, or the end of a delay."""
        await self._tempo.count_nodes(self._store)
        delay = None
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._work.wait()
            self._work.clear()
            delay = None
            if self._waiters:
                try:
                    delay = await self._round(self._clock.now_ms())
                except (Unavailable, StorageFull) as error:
                    log.error("round.delayed", error=str(error))
                    delay = RETRY_SECONDS

    async def _round(self, now: int) -> float | None:
        """Seconds until the next is due though nothing happens: a task may go that waited out a delay when it was last looked
        whether there is work, or a tenant has more lanes than one round looks at."""
        held = [waiter for waiter in self._waiters.values() if not waiter.answer.done()]
        offers = [waiter.offer for waiter in held if waiter.offer and waiter.offer.free.cpu_threads > 0]
        if not offers:
            return None  # whoever comes wakes us
        may_go, self._has_new = self._has_new, False
        if not may_go:
            may_go, self._next_at = await self._store.read(granting.outlook(now))
        due = None if self._next_at is None else max(0.001, (self._next_at - self._clock.now_ms()) / 1000)
        if may_go and not await self._grant(offers, now) and await self._store.read(granting.is_crowded()):
            return REST_OF_LANES_SECONDS if due is None else min(due, REST_OF_LANES_SECONDS)
        return due

    async def _grant(self, offers: Sequence[Offer], now: int) -> bool:
        """Whether anything came of it."""
        accept_within = int(self._settings.accept_within * 1000)
        told: set[NodeId] = set()

        def foretell(grants: Sequence[granting.Grant]) -> None:
            """While the disk is waited for. What nobody here knows by heart cannot be read yet."""
            for node_id, theirs in _by_node(grants).items():
                if self._orders.knows(theirs) and self._tell(node_id, theirs):
                    told.add(node_id)

        breaker = self._settings.rules.breaker
        asked = granting.Round(offers, now, next(self._numbers), accept_within, breaker)
        grants = await self._store.write_together(granting.rounds, asked, foretell=foretell)
        _GRANTED.inc(len(grants))
        for node_id, theirs in _by_node(grants).items():
            if node_id not in told:
                self._tell(node_id, theirs)
        return bool(grants)

    def _tell(self, node_id: NodeId, grants: list[granting.Grant]) -> bool:
        """Answers the poll that is held, if there is one. Whoever is not told finds out with its next."""
        waiter = self._waiters.get(node_id)
        if waiter is None or waiter.answer.done():
            return False
        waiter.answer.set_result(grants)
        if grants:
            self._heard[node_id] = self._clock.now_ms()
        return True

    def _register(self, node: Node, request: PollRequest) -> _Waiter:
        """One held poll per node: a newer one takes the place of the older."""
        labels, capacity = fleet.worn_and_had(node.facts or "", node.labels)
        offer = Offer(node.id, request.boot_id, node.cluster_id, labels, capacity, request.free)
        answer = asyncio.get_running_loop().create_future()
        gets_work = node.state is NodeState.ACTIVE and node.reprobe_asked_at is None
        waiter = _Waiter(request, offer if gets_work else None, answer)
        self._tell(node.id, [])
        self._waiters[node.id] = waiter
        return waiter

    async def _hold(self, node: Node, waiter: _Waiter, seconds: float) -> list[Order]:
        """Until there are orders, or the time is over. Looks again when an order that was told is due to be repeated."""
        loop = asyncio.get_running_loop()
        end = loop.time() + max(0.0, min(seconds, self._settings.poll_wait))
        while True:
            left = max(0.0, end - loop.time())
            await asyncio.wait([waiter.answer], timeout=min(left, REDELIVERY_MS / 1000) if waiter.is_owed else left)
            if waiter.answer.done():
                grants = waiter.answer.result()
                return await (self._start_orders(grants) if grants else self._pending_orders(node, waiter))
            is_over = loop.time() >= end
            orders = await self._pending_orders(node, waiter)
            if orders or is_over:
                return orders + await self._start_orders(waiter.closed())

    async def _pending_orders(self, node: Node, waiter: _Waiter) -> list[Order]:
        """What the node is to be, until its polls say that it knows; and what it has not heard."""
        orders = orders_to_be(await self._store.read(dispatch.node(node.id)), waiter.request)
        return orders + await self._unheard_orders(node, waiter)

    async def _unheard_orders(self, node: Node, waiter: _Waiter) -> list[Order]:
        """What must stop, and grants whose answer seems to have been lost: each at most once in a while."""
        self._heard[node.id] = now = self._clock.now_ms()
        self._forget_told(now)
        granted, stopping = await self._store.read(granting.unheard(node.id, waiter.request.boot_id, now))
        waiter.is_owed = bool(stopping or granted)
        orders: list[Order] = [
            StopTask(ref=ref) for ref in stopping if self._told.setdefault(("stop", ref), now) == now
        ]
        return orders + await self._start_orders(granted)

    async def _start_orders(self, grants: Sequence[granting.Grant]) -> list[Order]:
        """For those that were not told a moment ago."""
        now = self._clock.now_ms()
        untold = [grant for grant in grants if ("start", grant.ref) not in self._told]
        self._told |= {("start", grant.ref): now for grant in untold}
        return await self._orders.to_start(untold)

    def _is_due(self, node_id: NodeId) -> bool:
        """Whether to look what a node has not heard. One that asks for more just after it was told something need not."""
        return not 0 <= self._clock.now_ms() - self._heard.get(node_id, -REDELIVERY_MS) < REDELIVERY_MS

    def _forget_told(self, now: int) -> None:
        """What was told long enough ago to be told again; the oldest come first."""
        while self._told and now - self._told[oldest := next(iter(self._told))] >= REDELIVERY_MS:
            del self._told[oldest]


def _by_node(grants: Sequence[granting.Grant]) -> Mapping[NodeId, list[granting.Grant]]:
    given: dict[NodeId, list[granting.Grant]] = defaultdict(list)
    for granted in grants:
        given[granted.node_id].append(granted)
    return given


def _start(request: HelloRequest) -> dispatch.Start:
    return dispatch.Start(request.boot_id, request.before, request.unreported, request.interrupted)
