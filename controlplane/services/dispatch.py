"""Brings waiting work and waiting nodes together, the moment that both are there."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from controlplane import metrics
from controlplane.domain.content_keys import cipher
from controlplane.domain.placement import Offer
from controlplane.domain.sources import Source
from controlplane.services.content_keys import ContentKeys
from controlplane.services.files import JobFiles, attempt_name
from controlplane.services.payloads import Payload, Payloads
from controlplane.services.presets import UNREADABLE, UNREADABLE_JOB
from controlplane.services.signals import Signals
from controlplane.settings import Settings
from controlplane.storage.files import FileBucket, staging_key
from controlplane.storage.links import Links
from controlplane.store.operations import attempts, dispatch, ending, fleet, granting, identity, trust
from controlplane.store.port import Store
from controlplane.store.records import Node
from shared.clock import Clock
from shared.errors import StaleLease, StorageFull, Unavailable
from shared.ids import BootId, JobId, NodeId, TenantId
from shared.jobspec.encryption import may_hold_keys
from shared.protocol import (
    AttemptProgress,
    AttemptRef,
    BeatAnswer,
    BeatRequest,
    Drain,
    HelloAnswer,
    HelloRequest,
    InputSpec,
    Order,
    PollAnswer,
    PollRequest,
    Progress,
    ProgressRequest,
    Reprobe,
    Resume,
    StartTask,
    StopTask,
    Timings,
    TranscodeFile,
    Upload,
    UrlsAnswer,
    UrlsRequest,
    Verdict,
)
from shared.statuses import NodeState

log = structlog.get_logger()

_GRANTED, _ACCEPTED, _RENEWED = map(metrics.LEASES.labels, ("granted", "accepted", "renewed"))

LINK_SECONDS: Final = 24 * 3600.0
"""Of an attempt's links; what they allow is fenced by the lease, not by their age."""
REDELIVERY_MS: Final = 500
"""An order is repeated when nothing came of it for this long: the answer that held it may have been lost."""
MOST_ACCEPTED: Final = 10_000
"""Attempts that are remembered as accepted here: of others the database is asked."""
BEATS_PER_LEASE: Final = 6
RETRY_SECONDS: Final = 1.0
"""Between rounds while the database is away."""


@dataclass
class _Waiter:
    """A poll that is being held. Without an offer it waits for other orders."""

    request: PollRequest
    offer: Offer | None
    answer: asyncio.Future[list[granting.Grant]]
    is_owed: bool = False
    """Its node was told an order of which nothing has come yet."""


class Dispatcher:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        signals: Signals,
        links: Links,
        content_keys: ContentKeys,
        payloads: Payloads,
        settings: Settings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals
        self._links = links
        self._content_keys = content_keys
        self._payloads = payloads
        self._settings = settings
        self._waiters: dict[NodeId, _Waiter] = {}
        self._told: dict[tuple[str, AttemptRef], int] = {}
        self._heard: dict[NodeId, int] = {}
        self._accepted: dict[AttemptRef, NodeId] = {}
        self._work = asyncio.Event()
        self._has_new = False
        self._next_at: int | None = None
        self._progress: dict[JobId, tuple[AttemptRef, Progress]] = {}
        self._timings = self._timings_for(0)
        self._closing = False

    @property
    def timings(self) -> Timings:
        return self._timings

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

    def progress_of(self, job_id: JobId) -> Progress | None:
        found = self._progress.get(job_id)
        return found[1] if found else None

    def every_progress(self) -> list[Progress]:
        """Of the attempts whose nodes told it."""
        return [progress for _, progress in self._progress.values()]

    def forget_progress(self, job_id: JobId) -> None:
        self._progress.pop(job_id, None)

    async def hello(self, node: Node, request: HelloRequest) -> tuple[HelloAnswer, list[dispatch.Lost]]:
        facts = request.facts.model_dump_json()
        lost = await self._store.write(
            dispatch.hello(
                node.id,
                _start(request),
                facts,
                now=self._clock.now_ms(),
                lease=self._lease_ms,
                rules=self._settings.rules,
            )
        )
        self._timings = self._timings_for(await self._store.read(identity.count_nodes()))
        log.info("node.started", node_id=node.id, boot_id=request.boot_id, requeued=len(lost))
        self.interrupt(node.id)
        for ended in lost:
            self._signals.changed(ended.job_id)
        self.wake()
        return HelloAnswer(
            timings=self._timings, draining=node.state is NodeState.DRAINING, server_time_ms=self._clock.now_ms()
        ), lost

    async def poll(self, node: Node, request: PollRequest) -> PollAnswer:
        """Held until there are orders for this node, or the time is over."""
        if node.boot_id != request.boot_id or node.facts is None:
            node = await self._store.read(dispatch.node(node.id))  # it may have started since it was looked up
        if node.boot_id != request.boot_id or node.facts is None:
            await self._hear_older(node, request.boot_id)
            raise StaleLease("Another agent has started with this node's credential; say hello first.")
        waiter = self._register(node, request)
        try:
            orders = _orders_to_be(node, request)
            if self._is_due(node.id):
                orders += await self._unheard_orders(node, waiter)
            else:
                waiter.is_owed = True  # perhaps: what it was told just now need not be on disk yet
            if not orders and not self._closing:
                self.wake()
                orders = await self._hold(node, waiter, request.wait)
        finally:
            if self._waiters.get(node.id) is waiter:
                del self._waiters[node.id]
        return PollAnswer(orders=tuple(orders), timings=self._timings)

    async def accept(self, node: Node, ref: AttemptRef) -> Timings:
        now = self._clock.now_ms()
        acceptance = dispatch.Acceptance(ref, node.id, now, expires_at=now + self._lease_ms)
        job_id = await self._store.write_together(dispatch.accept, acceptance)
        _ACCEPTED.inc()
        self._accepted[ref] = node.id
        if len(self._accepted) > MOST_ACCEPTED:
            del self._accepted[next(iter(self._accepted))]
        if ref.attempt == 1:
            metrics.WAITS.observe(max(0.0, (now - int(job_id[:13])) / 1000))
        self._signals.changed(job_id)
        return self._timings

    async def is_live(self, ref: AttemptRef, node_id: NodeId) -> bool:
        """Whether the node seems to hold this lease: only what is written under it is sure."""
        if self._accepted.get(ref) == node_id:
            return True
        try:
            await self._store.read(dispatch.live_lease(ref, node_id))
        except StaleLease:
            return False
        return True

    def forget(self, ref: AttemptRef) -> None:
        """The attempt has ended."""
        self._accepted.pop(ref, None)

    async def beat(self, node: Node, request: BeatRequest) -> BeatAnswer:
        renewals = dispatch.beat(
            node.id,
            request.boot_id,
            request.free.model_dump_json(),
            request.attempts,
            now=self._clock.now_ms(),
            lease=self._lease_ms,
        )
        try:
            heard = await self._store.write(renewals)
        except StaleLease:
            await self._hear_older(node, request.boot_id)
            raise
        _RENEWED.inc(sum(verdict != "drop" for verdict in heard.verdicts))
        return BeatAnswer(
            verdicts=tuple(
                Verdict(ref=attempt.ref, verdict=verdict)
                for attempt, verdict in zip(request.attempts, heard.verdicts, strict=True)
            ),
            timings=self._timings,
            draining=heard.state is NodeState.DRAINING,
            reprobe=heard.reprobe,
        )

    async def progress(self, node: Node, request: ProgressRequest) -> None:
        """For those who watch. Stale attempts are passed over in silence: their next beat is told."""
        for attempt in request.attempts:
            try:
                task = await self._store.read(dispatch.live_lease(attempt.ref, node.id))
            except StaleLease:
                continue
            known = self._progress.get(task.job_id)
            if known and known[0] == attempt.ref and known[1].percent > attempt.progress.percent:
                continue
            self._progress[task.job_id] = (attempt.ref, attempt.progress)
            if len(attempt.events) > task.noted:
                await self._note(node, attempt)
            self._signals.changed(task.job_id)

    async def _note(self, node: Node, attempt: AttemptProgress) -> None:
        with contextlib.suppress(StaleLease):
            await self._store.write(attempts.note_of(attempt.ref, node.id, attempt.events, self._clock.now_ms()))

    async def urls(self, node: Node, request: UrlsRequest) -> UrlsAnswer:
        """Where to put the files of a live attempt. Raises StaleLease."""
        task = await self._store.read(dispatch.live_lease(request.ref, node.id))
        files = JobFiles.model_validate_json(task.files)
        staging = staging_key(attempt_name(task.id, task.attempt))
        return UrlsAnswer(
            uploads=tuple(
                Upload(
                    name=staged.name,
                    url=self._links.sign(
                        "stage", files.tenant_id, files.output_bucket, f"{staging}/{staged.name}", seconds=LINK_SECONDS
                    ),
                )
                for staged in request.files
            ),
            inputs=tuple(
                self._input(index, Source(files.inputs[index]), files)
                for index in request.inputs
                if 0 <= index < len(files.inputs)
            ),
        )

    async def run(self) -> None:
        """Rounds, one after the other, each started by an event: a task, a node, a slot, or the end of a delay."""
        self._timings = self._timings_for(await self._store.read(identity.count_nodes()))
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
        """Seconds until a task may go that waited out a delay when it was last looked whether there is work."""
        held = [waiter for waiter in self._waiters.values() if not waiter.answer.done()]
        offers = [waiter.offer for waiter in held if waiter.offer and waiter.offer.free.cpu_threads > 0]
        if not offers:
            return None  # whoever comes wakes us
        may_go, self._has_new = self._has_new, False
        if not may_go:
            may_go, self._next_at = await self._store.read(granting.outlook(now))
        if may_go:
            await self._grant(offers, now)
        return None if self._next_at is None else max(0.001, (self._next_at - self._clock.now_ms()) / 1000)

    async def _grant(self, offers: Sequence[Offer], now: int) -> None:
        accept_within = int(self._settings.accept_within * 1000)
        told: set[NodeId] = set()

        def foretell(grants: Sequence[granting.Grant]) -> None:
            """While the disk is waited for. What nobody here knows by heart cannot be read yet."""
            for node_id, theirs in _by_node(grants).items():
                if all(self._payloads.knows(grant.ref.task_id) for grant in theirs) and self._tell(node_id, theirs):
                    told.add(node_id)

        breaker = self._settings.rules.breaker
        chosen = granting.grant_round(offers, now=now, accept_within=accept_within, breaker=breaker)
        grants = await self._store.write(chosen, foretell=foretell)
        _GRANTED.inc(len(grants))
        for node_id, theirs in _by_node(grants).items():
            if node_id not in told:
                self._tell(node_id, theirs)

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
            if is_over:
                waiter.answer.cancel()  # what is granted from now on is told to the next poll
            orders = await self._pending_orders(node, waiter)
            if orders or is_over:
                return orders

    async def _pending_orders(self, node: Node, waiter: _Waiter) -> list[Order]:
        """What the node is to be, until its polls say that it knows; and what it has not heard."""
        orders = _orders_to_be(await self._store.read(dispatch.node(node.id)), waiter.request)
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
        untold = [grant for grant in granted if ("start", grant.ref) not in self._told]
        return orders + await self._start_orders(untold)

    def _is_due(self, node_id: NodeId) -> bool:
        """Whether to look what a node has not heard. One that asks for more just after it was told something need not."""
        return not 0 <= self._clock.now_ms() - self._heard.get(node_id, -REDELIVERY_MS) < REDELIVERY_MS

    def _forget_told(self, now: int) -> None:
        """What was told long enough ago to be told again; the oldest come first."""
        while self._told and now - self._told[oldest := next(iter(self._told))] >= REDELIVERY_MS:
            del self._told[oldest]

    async def _start_orders(self, grants: Sequence[granting.Grant]) -> list[Order]:
        """One job that cannot be read any more, after an upgrade, fails and holds up no other."""
        orders: list[Order] = []
        for grant in grants:
            try:
                orders.append(self._start_order(grant, await self._payloads.of(grant.ref.task_id)))
            except UNREADABLE as error:
                log.error("order.unreadable", task_id=grant.ref.task_id, job_id=grant.job_id, error=str(error))
                await self._store.write(ending.give_up(grant.ref.task_id, UNREADABLE_JOB, self._clock.now_ms()))
                self._signals.changed(grant.job_id)
        return orders

    def _start_order(self, grant: granting.Grant, payload: Payload) -> StartTask:
        self._told["start", grant.ref] = self._clock.now_ms()
        files = payload.files
        return StartTask(
            ref=grant.ref,
            job_id=grant.job_id,
            inputs=tuple(self._input(index, source, files) for index, source in enumerate(payload.sources)),
            payload=self._with_keys(files.tenant_id, payload),
            nvenc_sessions=grant.granted.nvenc_sessions,
            cpu_threads=grant.granted.cpu_threads,
            scratch=grant.granted.scratch,
            memory=grant.granted.memory,
            pixel_rate=grant.granted.pixel_rate,
        )

    def _with_keys(self, tenant_id: TenantId, payload: Payload) -> TranscodeFile:
        work = payload.work
        return self._content_keys.told(tenant_id, work) if may_hold_keys(payload.kept.document) else work

    def _input(self, index: int, source: Source, files: JobFiles) -> InputSpec:
        found = FileBucket(Path(files.input_root)).stat(source.key)
        spec = InputSpec(
            index=index,
            url=self._links.sign("get", files.tenant_id, files.input_bucket, source.key, seconds=LINK_SECONDS),
            size=found.size if found else 0,
            sha256=source.sha256,
            is_input=source.is_input,
            encryption=cipher(source.encryption),
        )
        return self._content_keys.told(files.tenant_id, spec) if source.encryption else spec

    async def _hear_older(self, node: Node, boot_id: BootId) -> None:
        """A start that another has followed is still alive."""
        spoken = trust.older_start_speaks(node.id, boot_id, now=self._clock.now_ms(), lease=self._lease_ms)
        if await self._store.write(spoken):
            log.error("node.cloned", node_id=node.id, boot_id=boot_id, runs_now=node.boot_id)

    @property
    def _lease_ms(self) -> int:
        return int(self._timings.lease * 1000)

    def _timings_for(self, nodes: int) -> Timings:
        """With many nodes each beats more seldom, so that together they never send more than `beats_per_second`."""
        stretch = nodes / self._settings.beats_per_second
        beat = max(self._settings.beat_interval, stretch)
        return Timings(
            beat_interval=beat,
            lease=max(self._settings.lease, BEATS_PER_LEASE * beat),
            poll_wait=self._settings.poll_wait,
            progress_interval=max(self._settings.progress_interval, stretch),
        )


def _by_node(grants: Sequence[granting.Grant]) -> Mapping[NodeId, list[granting.Grant]]:
    given: dict[NodeId, list[granting.Grant]] = defaultdict(list)
    for granted in grants:
        given[granted.node_id].append(granted)
    return given


def _orders_to_be(node: Node, asked: PollRequest) -> list[Order]:
    """What brings a node from what it knows to what it is to be."""
    orders: list[Order] = []
    is_to_drain = node.state is NodeState.DRAINING
    if asked.draining is not None and asked.draining is not is_to_drain:
        orders.append(Drain() if is_to_drain else Resume())
    if node.reprobe_asked_at is not None and not asked.reprobing:
        orders.append(Reprobe())
    return orders


def _start(request: HelloRequest) -> dispatch.Start:
    return dispatch.Start(request.boot_id, request.before, request.unreported, request.interrupted)
