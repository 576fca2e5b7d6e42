"""The agent's side of `shared.protocol`, one method per call, and the transfers over signed URLs.

Whatever goes wrong is one of the exceptions of `agent.refusals`.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import aiohttp
from aiohttp.typedefs import LooseHeaders
from pydantic import ValidationError
from yarl import URL

from agent.backoff import Random, Sleep, wait_after
from agent.refusals import OF_OBJECTS, Unreachable, as_unreachable, raise_refusal
from shared.clock import Clock, SystemClock
from shared.errors import TooLarge
from shared.models import Message
from shared.protocol import (
    MESSAGE_SIZE,
    AcceptAnswer,
    AcceptRequest,
    AttemptRef,
    BeatAnswer,
    BeatRequest,
    CheckAnswer,
    CheckRequest,
    DetectedProperties,
    DrainingAnswer,
    DrainingRequest,
    EnrolAnswer,
    EnrolRequest,
    HelloAnswer,
    HelloRequest,
    InputSpec,
    LogRequest,
    PollAnswer,
    PollRequest,
    ProbedAnswer,
    ProbedRequest,
    ProgressRequest,
    ReportAnswer,
    ReportRequest,
    StagedFile,
    Timings,
    Upload,
    UrlsAnswer,
    UrlsRequest,
)
from shared.statuses import NodeState

ACCEPT_PATIENCE: Final = 30.0
PROBED_PATIENCE: Final = 24 * 3600.0
URLS_PATIENCE: Final = 24 * 3600.0
"""Who asks for these has outputs that took long to make."""
CLOCK_ALARM: Final = 5.0
"""Seconds that clocks may be apart before somebody is told: links and certificates have ends, and logs are compared."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts to which nothing travels through a network."""
MAX_FILES_PER_CALL: Final = 5000
_ANSWER_TIMEOUT: Final = 15.0
_BEAT_TIMEOUT: Final = 8.0
_CONNECT_TIMEOUT: Final = 8.0
_SILENCE_TIMEOUT: Final = 60.0
_CHUNK: Final = 1 << 20
_PORTION: Final = 1 << 17
_MAX_AUTHORITY: Final = 64 * 1024
AnswerT = TypeVar("AnswerT", bound=Message)
TimedT = TypeVar("TimedT", HelloAnswer, CheckAnswer)
ResultT = TypeVar("ResultT")


class ControlPlane:
    """A node's connections to its control plane; those of beats are their own, so that transfers never starve them."""

    def __init__(
        self,
        url: str,
        credential: str,
        *,
        tls: ssl.SSLContext | bool = True,
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
        randomly: Random = random.random,
    ) -> None:
        self._base = URL(url if url.endswith("/") else url + "/")
        self._authorization = {"Authorization": f"Bearer {credential}"}
        self._tls = tls
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._random = randomly
        self._stack = AsyncExitStack()
        self.timings = Timings()
        self.clock_skew: float | None = None
        """Seconds by which the control plane's clock is ahead of ours; None until it was told. Nothing depends on it."""

    async def __aenter__(self) -> Self:
        self._calls = await self._session(connections=32, headers=self._authorization)
        self._beats = await self._session(connections=2, headers=self._authorization)
        self._transfers = await self._session(connections=8, headers={}, auto_decompress=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def hello(self, request: HelloRequest) -> HelloAnswer:
        """Tried until it is answered: without it nothing else makes sense."""
        return await self.persistently(lambda: self._timed("hello", request, HelloAnswer), patience=None)

    async def check(self) -> CheckAnswer:
        """Once. What the control plane says of this node to its owner."""
        return await self._timed("check", CheckRequest(), CheckAnswer)

    async def set_draining(self, draining: bool) -> NodeState:
        request = DrainingRequest(draining=draining)
        return (await self._call(self._calls, "draining", request, DrainingAnswer)).state

    async def get(self, url: str, size: int) -> bytes:
        """The first bytes of an object behind a signed URL."""
        with as_unreachable():
            async with self._transfers.get(self._absolute(url), allow_redirects=False) as response:
                await raise_refusal(response, OF_OBJECTS)
                read = bytearray()
                while len(read) < size and (piece := await response.content.read(size - len(read))):
                    read += piece
                return bytes(read)

    async def put(self, url: str, content: bytes) -> None:
        """A small object, under a signed URL."""
        with as_unreachable():
            async with self._transfers.put(self._absolute(url), data=content, allow_redirects=False) as response:
                await raise_refusal(response, OF_OBJECTS)

    async def poll(self, request: PollRequest) -> PollAnswer:
        return await self._call(self._calls, "poll", request, PollAnswer, timeout=request.wait + _ANSWER_TIMEOUT)

    async def accept(self, ref: AttemptRef) -> AcceptAnswer:
        request = AcceptRequest(ref=ref)
        return await self.persistently(
            lambda: self._call(self._calls, "accept", request, AcceptAnswer), patience=ACCEPT_PATIENCE
        )

    async def probed(self, ref: AttemptRef, inputs: tuple[DetectedProperties, ...]) -> ProbedAnswer:
        """Asked for a long time: nothing is encoded before it is answered, so that nothing is lost by waiting."""
        request = ProbedRequest(ref=ref, inputs=inputs)
        return await self.persistently(
            lambda: self._call(self._calls, "probed", request, ProbedAnswer), patience=PROBED_PATIENCE
        )

    async def beat(self, request: BeatRequest) -> BeatAnswer:
        return await self._call(self._beats, "beat", request, BeatAnswer, timeout=_BEAT_TIMEOUT)

    async def progress(self, request: ProgressRequest) -> None:
        """For those who watch: sent once, and lost if it gets lost."""
        await self._call(self._calls, "progress", request, Message, timeout=_BEAT_TIMEOUT)

    async def log(self, request: LogRequest) -> None:
        """For those who watch: sent once; what gets lost comes with the next, or with the report."""
        await self._call(self._calls, "log", request, Message, timeout=_BEAT_TIMEOUT)

    async def urls(self, ref: AttemptRef, files: tuple[StagedFile, ...]) -> tuple[Upload, ...]:
        """Where to upload each of these files, asked for in portions."""
        uploads: list[Upload] = []
        for start in range(0, len(files), MAX_FILES_PER_CALL):
            request = UrlsRequest(ref=ref, files=files[start : start + MAX_FILES_PER_CALL])
            answer = await self.persistently(
                lambda request=request: self._call(self._calls, "urls", request, UrlsAnswer),  # type: ignore[misc]
                patience=URLS_PATIENCE,
            )
            uploads += answer.uploads
        return tuple(uploads)

    async def report(self, request: ReportRequest) -> ReportAnswer:
        """Once; the outbox sends it again. Raises TooLarge for one that would break off on its way."""
        if len(request.model_dump_json().encode()) > MESSAGE_SIZE:
            raise TooLarge("The report is larger than a message may be.")
        return await self._call(self._calls, "report", request, ReportAnswer)

    async def input_link(self, ref: AttemptRef, index: int) -> InputSpec | None:
        """A new link to an input whose link has run out; None when the control plane knows no such thing."""
        request = UrlsRequest(ref=ref, inputs=(index,))
        answer = await self.persistently(
            lambda: self._call(self._calls, "urls", request, UrlsAnswer), patience=URLS_PATIENCE
        )
        return next(iter(answer.inputs), None)

    @asynccontextmanager
    async def download(
        self, url: str, span: tuple[int, int] | None = None, *, unchanged: str | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The object behind a signed URL, or the bytes of it from `span[0]` up to `span[1]`.

        The status tells whether the server honoured that (206). It must not when the object is no longer the one that
        the validator `unchanged` stands for: then it sends the whole new one.
        """
        headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"} if span else {}
        if span and unchanged:
            headers["If-Range"] = unchanged
        with as_unreachable():
            async with self._transfers.get(self._absolute(url), headers=headers, allow_redirects=False) as response:
                await raise_refusal(response, OF_OBJECTS)
                yield response

    async def upload(self, url: str, file: Path, size: int) -> None:
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        with as_unreachable():
            async with self._transfers.put(
                self._absolute(url), data=_chunks(file), headers=headers, allow_redirects=False
            ) as response:
                await raise_refusal(response, OF_OBJECTS)

    async def persistently(self, call: Callable[[], Awaitable[ResultT]], *, patience: float | None) -> ResultT:
        """Call again while the control plane is unreachable, for `patience` seconds (None: for ever)."""
        started = self._clock.monotonic()
        tries = 0
        while True:
            try:
                return await call()
            except Unreachable as error:
                delay = wait_after(tries, self._random, error.retry_after)
                if patience is not None and self._clock.monotonic() - started + delay > patience:
                    raise
            tries += 1
            await self._sleep(delay)

    async def _timed(self, name: str, request: Message, answer: type[TimedT]) -> TimedT:
        """Notes how far the clocks are apart: the other one was read about half way through the exchange."""
        asked, began = self._clock.now_ms(), self._clock.monotonic()
        told = await self._call(self._calls, name, request, answer)
        if told.server_time_ms is not None:
            passed = self._clock.monotonic() - began
            self.clock_skew = (told.server_time_ms - asked) / 1000 - passed / 2
        return told

    async def _call(
        self,
        session: aiohttp.ClientSession,
        name: str,
        request: Message,
        answer: type[AnswerT],
        *,
        timeout: float = _ANSWER_TIMEOUT,
    ) -> AnswerT:
        body = await _post(session, self._base / "agent/v1" / name, request, timeout)
        told = _parsed(answer, body)
        self.timings = getattr(told, "timings", self.timings)
        return told

    async def _session(
        self, *, connections: int, headers: LooseHeaders, auto_decompress: bool = True
    ) -> aiohttp.ClientSession:
        session = _session(self._tls, connections=connections, headers=headers, auto_decompress=auto_decompress)
        return await self._stack.enter_async_context(session)

    def _absolute(self, url: str) -> URL:
        """Signed URLs are taken as they are: encoding them anew would break their signature."""
        signed = URL(url, encoded=True)
        return signed if signed.absolute else self._base.join(signed)


async def authority(url: str) -> bytes:
    """The certificate by which the control plane says it is known (PEM), from whoever answers: nothing is trusted yet."""
    limits = aiohttp.ClientTimeout(total=_ANSWER_TIMEOUT, sock_connect=_CONNECT_TIMEOUT)
    async with _session(False, connections=1, headers={}) as session:
        with as_unreachable():
            async with session.get(URL(url) / "agent/v1/authority", timeout=limits, allow_redirects=False) as response:
                await raise_refusal(response)
                return await response.content.read(_MAX_AUTHORITY)


async def enrol(url: str, request: EnrolRequest, *, tls: ssl.SSLContext | bool = True) -> EnrolAnswer:
    """Buy a node id and a credential with a join token; once, because a token is spent by the first try that arrives."""
    async with _session(tls, connections=1, headers={}) as session:
        body = await _post(session, URL(url) / "agent/v1/enrol", request, _ANSWER_TIMEOUT)
    return _parsed(EnrolAnswer, body)


async def is_reachable(url: str, *, tls: ssl.SSLContext | bool = True) -> bool:
    """Whether the control plane answers at all."""
    timeout = aiohttp.ClientTimeout(total=3.0)
    try:
        async with (
            _session(tls, connections=1, headers={}) as session,
            session.get(URL(url) / "healthz", timeout=timeout, allow_redirects=False) as response,
        ):
            return response.status == 200
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


def trust(ca_file: Path | None = None, *, pem: bytes | None = None) -> ssl.SSLContext:
    """What the connections trust: the given authorities, or the system's. Raises OSError or ssl.SSLError for no such thing."""
    context = ssl.create_default_context(
        cafile=str(ca_file) if ca_file else None, cadata=pem.decode("ascii", errors="replace") if pem else None
    )
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _session(
    tls: ssl.SSLContext | bool, *, connections: int, headers: LooseHeaders, auto_decompress: bool = True
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, ssl=tls, socket_factory=_socket),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT, sock_read=_SILENCE_TIMEOUT),
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=_CHUNK,
        auto_decompress=auto_decompress,
        trust_env=False,
    )


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A connection on which nothing is acknowledged for a while is broken: an upload would else wait for a quarter of an hour."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_SILENCE_TIMEOUT * 1000))
    return made


async def _post(session: aiohttp.ClientSession, url: URL, request: Message, timeout: float) -> bytes:
    headers = {"Content-Type": "application/json"}
    limits = aiohttp.ClientTimeout(total=timeout, sock_connect=_CONNECT_TIMEOUT)
    data = request.model_dump_json().encode()
    with as_unreachable():
        async with session.post(url, data=data, headers=headers, timeout=limits, allow_redirects=False) as response:
            await raise_refusal(response)
            return await response.read()


def _parsed(answer: type[AnswerT], body: bytes) -> AnswerT:
    """An answer that is not of the protocol comes from something in between, which may pass."""
    try:
        return answer.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise Unreachable(f"The control plane's answer is not a {answer.__name__}.") from error


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    """A file in portions, read off the loop."""
    with file.open("rb") as source:
        while chunk := await asyncio.to_thread(source.read, _PORTION):
            yield chunk
