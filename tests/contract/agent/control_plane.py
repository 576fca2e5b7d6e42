"""A stand-in for the control plane: small, in memory, behind a real socket, and as strict about the protocol as the real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar

from aiohttp import web
from aiohttp.test_utils import TestServer

from shared.ids import Attempt, ClusterId, LeaseId, NodeId
from shared.models import Message
from shared.protocol import (
    AcceptAnswer,
    AcceptRequest,
    AttemptEvent,
    AttemptRef,
    BeatAnswer,
    BeatRequest,
    DetectedProperties,
    EnrolAnswer,
    EnrolRequest,
    HelloAnswer,
    HelloRequest,
    InputSpec,
    LogRequest,
    LogTail,
    Order,
    Outcome,
    OutputSpec,
    PollAnswer,
    PollRequest,
    ProbedAnswer,
    ProbedRequest,
    Progress,
    ProgressRequest,
    ReportAnswer,
    ReportRequest,
    StartTask,
    StopTask,
    Timings,
    Upload,
    UrlsAnswer,
    UrlsRequest,
    Verdict,
)
from tests.unit.agent.builders import a_start, an_output
from tests.unit.agent.serving import problem

CREDENTIAL: Final = "node-s3cret"
JOIN_TOKEN: Final = "join-once"
TIMINGS: Final = Timings(beat_interval=0.05, lease=5, poll_wait=5, progress_interval=0.01)
MessageT = TypeVar("MessageT", bound=Message)


class Lease(StrEnum):
    GRANTED = "granted"
    ACCEPTED = "accepted"
    STOPPING = "stopping"
    REPORTED = "reported"
    GONE = "gone"


@dataclass
class ControlPlane:
    movie: bytes
    timings: Timings = TIMINGS
    leases: dict[AttemptRef, Lease] = field(default_factory=dict)
    orders: dict[AttemptRef, StartTask] = field(default_factory=dict)
    unsent: list[Order] = field(default_factory=list)
    told: dict[AttemptRef, list[Progress]] = field(default_factory=dict)
    reports: dict[AttemptRef, Outcome] = field(default_factory=dict)
    events: dict[AttemptRef, tuple[AttemptEvent, ...]] = field(default_factory=dict)
    logs: dict[AttemptRef, list[LogTail]] = field(default_factory=dict)
    staged: dict[AttemptRef, dict[str, bytes]] = field(default_factory=dict)
    hellos: list[HelloRequest] = field(default_factory=list)
    polls: list[PollRequest] = field(default_factory=list)
    beats: list[BeatRequest] = field(default_factory=list)
    probed: dict[AttemptRef, tuple[DetectedProperties, ...]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    has_no_minutes: bool = False
    is_away: bool = False
    is_revoked: bool = False
    loses_answers_of: set[str] = field(default_factory=set)
    url: str = ""
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, claim: Callable[[], object], *, within: float = 20.0) -> None:
        """Wait for something to become true; every request that is answered is a reason to look again."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(claim)

    async def grant(
        self, task: str = "tk_1", *, attempt: int = 1, outputs: tuple[OutputSpec, ...] = (), **wishes: Any
    ) -> AttemptRef:
        order = a_start(
            task,
            attempt=attempt,
            inputs=(self.input(task),),
            outputs=outputs or (an_output(),),
            **wishes,
        )
        self.known(order)
        await self._tell()
        return order.ref

    def input(self, task: str) -> InputSpec:
        return InputSpec(index=0, url=f"/objects/in?sig={task}", size=len(self.movie))

    def known(self, order: StartTask) -> StartTask:
        """From now on a grant that waits to be polled for and accepted."""
        self.orders[order.ref] = order
        self.leases[order.ref] = Lease.GRANTED
        return order

    async def order(self, order: Order) -> None:
        self.unsent.append(order)
        await self._tell()

    async def stop(self, ref: AttemptRef) -> None:
        self.leases[ref] = Lease.STOPPING
        await self.order(StopTask(ref=ref))

    def take_away(self, ref: AttemptRef) -> None:
        """As the reaper does: whatever the node says of it from now on is stale."""
        self.leases[ref] = Lease.GONE

    def phases(self, ref: AttemptRef) -> list[str]:
        return [progress.phase.value for progress in self.told.get(ref, [])]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = request.path.rsplit("/", 1)[-1]
        if self.is_away:
            _hang_up(request)
            return web.Response()
        response = await self._answer(name, request)
        if response.status >= 400:
            self.refused.append(f"{name} {response.status}")
        await self._tell()
        if name in self.loses_answers_of:
            self.loses_answers_of.discard(name)
            _hang_up(request)
        return response

    async def _answer(self, name: str, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/objects/"):
            return await self._object(request)
        if name == "healthz":
            return web.Response()
        if name == "enrol":
            return self._enrol(await _parsed(request, EnrolRequest))
        if self.is_revoked or request.headers.get("Authorization") != f"Bearer {CREDENTIAL}":
            return problem("unauthenticated", 401)
        routes: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {
            "hello": self._hello,
            "poll": self._poll,
            "accept": self._accept,
            "probed": self._probed,
            "beat": self._beat,
            "progress": self._progress,
            "log": self._log,
            "urls": self._urls,
            "report": self._report,
        }
        return await routes[name](request)

    def _enrol(self, asked: EnrolRequest) -> web.Response:
        if asked.join_token != JOIN_TOKEN:
            return problem("unauthenticated", 401)
        return _json(EnrolAnswer(node_id=NodeId("nd_1"), credential=CREDENTIAL, cluster_id=ClusterId("paris-1")))

    async def _hello(self, request: web.Request) -> web.Response:
        """What earlier boots held and did not finish is granted anew."""
        hello = await _parsed(request, HelloRequest)
        is_new = hello.boot_id not in {earlier.boot_id for earlier in self.hellos}
        self.hellos.append(hello)
        for ref, lease in list(self.leases.items()):
            if is_new and lease is Lease.ACCEPTED and ref not in hello.unreported:
                self.leases[ref] = Lease.GONE
                await self._again(ref)
        return _json(HelloAnswer(timings=self.timings, draining=False))

    async def _again(self, ref: AttemptRef) -> None:
        order = self.orders[ref]
        renewed = AttemptRef(
            task_id=ref.task_id, attempt=Attempt(ref.attempt + 1), lease_id=LeaseId(f"{ref.lease_id}-again")
        )
        self.orders[renewed] = order.model_copy(update={"ref": renewed})
        self.leases[renewed] = Lease.GRANTED

    async def _poll(self, request: web.Request) -> web.Response:
        asked = await _parsed(request, PollRequest)
        if asked.boot_id != self.hellos[-1].boot_id:
            return problem("stale_lease", 409)
        self.polls.append(asked)
        await self._tell()
        try:
            async with asyncio.timeout(asked.wait), self._changed:
                await self._changed.wait_for(lambda: self.is_away or self._orders_for(asked))
        except TimeoutError:
            pass
        if self.is_away:
            _hang_up(request)
        orders, self.unsent = self._orders_for(asked), []
        return _json(PollAnswer(orders=tuple(orders), timings=self.timings))

    def _orders_for(self, asked: PollRequest) -> list[Order]:
        """Every grant that was not accepted, as far as there is room for it, each time."""
        room = asked.free.cpu_threads
        granted = [ref for ref, lease in self.leases.items() if lease is Lease.GRANTED]
        fitting = [order for ref in granted if (room := room - (order := self.orders[ref]).cpu_threads) >= 0]
        return [*self.unsent, *fitting]

    async def _accept(self, request: web.Request) -> web.Response:
        ref = (await _parsed(request, AcceptRequest)).ref
        if self.leases.get(ref) not in (Lease.GRANTED, Lease.ACCEPTED):
            return problem("stale_lease", 409)
        self.leases[ref] = Lease.ACCEPTED
        return _json(AcceptAnswer(timings=self.timings))

    async def _probed(self, request: web.Request) -> web.Response:
        asked = await _parsed(request, ProbedRequest)
        lease = self.leases.get(asked.ref, Lease.GONE)
        if lease not in (Lease.ACCEPTED, Lease.STOPPING):
            return problem("stale_lease", 409)
        self.probed[asked.ref] = asked.inputs
        if self.has_no_minutes:
            self.leases[asked.ref] = Lease.GONE
            return _json(ProbedAnswer(verdict="drop"))
        return _json(ProbedAnswer(verdict="stop" if lease is Lease.STOPPING else "keep"))

    async def _beat(self, request: web.Request) -> web.Response:
        beat = await _parsed(request, BeatRequest)
        self.beats.append(beat)
        verdicts = []
        for attempt in beat.attempts:
            lease = self.leases.get(attempt.ref, Lease.GONE)
            verdict = {Lease.STOPPING: "stop", Lease.GONE: "drop"}.get(lease, "keep")
            verdicts.append(Verdict.model_validate({"ref": attempt.ref, "verdict": verdict}))
        return _json(BeatAnswer(verdicts=tuple(verdicts), timings=self.timings))

    async def _progress(self, request: web.Request) -> web.Response:
        for attempt in (await _parsed(request, ProgressRequest)).attempts:
            self.told.setdefault(attempt.ref, []).append(attempt.progress)
        return web.json_response({})

    async def _log(self, request: web.Request) -> web.Response:
        told = await _parsed(request, LogRequest)
        self.logs.setdefault(told.ref, []).append(told.log)
        return web.json_response({})

    async def _urls(self, request: web.Request) -> web.Response:
        asked = await _parsed(request, UrlsRequest)
        if self.leases.get(asked.ref) is not Lease.ACCEPTED:
            return problem("stale_lease", 409)
        name = f"{asked.ref.task_id}/{asked.ref.attempt}"
        uploads = (Upload(name=file.name, url=f"/objects/{name}/{file.name}?sig=1") for file in asked.files)
        return _json(UrlsAnswer(uploads=tuple(uploads)))

    async def _report(self, request: web.Request) -> web.Response:
        report = await _parsed(request, ReportRequest)
        lease = self.leases.get(report.ref, Lease.GONE)
        if lease is Lease.GONE or (lease is Lease.REPORTED and self.reports[report.ref] != report.outcome):
            return problem("stale_lease", 409)
        self.leases[report.ref] = Lease.REPORTED
        self.reports[report.ref] = report.outcome
        self.events[report.ref] = report.events
        if report.log is not None:
            self.logs.setdefault(report.ref, []).append(report.log)
        return _json(ReportAnswer(task_state="Succeeded"))

    async def _object(self, request: web.Request) -> web.StreamResponse:
        if "Authorization" in request.headers or "sig" not in request.query:
            return problem("link_refused", 403)
        if request.method == "GET":
            start = request.http_range.start or 0
            return web.Response(body=self.movie[start:], status=206 if start else 200)
        _, _, task, attempt, name = request.path.split("/")
        (ref,) = (ref for ref in self.orders if (ref.task_id, str(ref.attempt)) == (task, attempt))
        self.staged.setdefault(ref, {})[name] = await request.read()
        return web.Response()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def leave(self) -> None:
        """Gone from the network: what is held breaks, what comes is not answered."""
        self.is_away = True
        await self._tell()

    def come_back(self) -> None:
        self.is_away = False


@asynccontextmanager
async def control_plane(movie: bytes) -> AsyncIterator[ControlPlane]:
    control = ControlPlane(movie)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", control.handle)
    server = TestServer(app)
    await server.start_server()
    control.url = str(server.make_url("/"))
    try:
        yield control
    finally:
        await control.leave()
        await server.close()


async def _parsed(request: web.Request, kind: type[MessageT]) -> MessageT:
    return kind.model_validate_json(await request.read())


def _json(answer: Message) -> web.Response:
    return web.json_response(json.loads(answer.model_dump_json()))


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
