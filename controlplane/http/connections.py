"""Connections from strangers: how many each address may have, and how slow they may be.

aiohttp answers whoever speaks and waits for whoever does not. Here every connection counts the bytes that arrive, and a
sweep once in a while ends those whose turn has lasted too long. Long polls and event streams are our turn, so they live as
long as they like; they are counted apart, so that a site full of nodes behind one address is no crowd of strangers.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from controlplane.domain.pace import UNSEEN, Limits, Turn, observed
from controlplane.settings import Network, Settings
from shared.errors import Throttled

log = structlog.get_logger()

BACKLOG: Final = 1024
SWEEPS_PER_STALL: Final = 10
LINGERING_SHARE: Final = 0.5
"""After an early refusal the rest of a body is read and thrown away for so much of a stall, so that the refusal arrives."""
_RESET: Final = struct.pack("ii", 1, 0)
_FULL: Final = (
    b'{"type":"/docs/errors/throttled","title":"Throttled","status":429,"code":"throttled",'
    b'"detail":"There are too many connections from this address."}'
)
_TOO_MANY: Final = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_FULL), _FULL)
)


@dataclass
class _Address:
    """What one address occupies."""

    seats: int = 0
    held: int = 0
    connections: dict[Connection, None] = field(default_factory=dict)  # the oldest first


class Occupancy:
    """Who sits where. IPv6 callers count by their /64: all of it is theirs."""

    def __init__(self, seats: int, held: int) -> None:
        self.max_seats = seats
        self.max_held = held
        self._addresses: dict[str, _Address] = {}

    def take(self, address: str) -> Seat | None:
        """None when every seat of the address is taken."""
        name = _who(address)
        found = self._addresses.setdefault(name, _Address())
        if found.seats >= self.max_seats:
            return None
        found.seats += 1
        return Seat(self, name, found)

    def of(self, address: str) -> _Address:
        return self._addresses.get(_who(address)) or _Address()

    def forget(self, name: str) -> None:
        self._addresses.pop(name, None)


class Seat:
    """One connection's, or behind a proxy one request's. While its caller is held it is somebody else's to take."""

    __slots__ = ("_name", "_occupancy", "address")

    def __init__(self, occupancy: Occupancy, name: str, address: _Address) -> None:
        self._occupancy = occupancy
        self._name = name
        self.address = address

    def hold(self) -> None:
        """Raises Throttled."""
        if self.address.held >= self._occupancy.max_held:
            detail = "There are too many polls and event streams from this address."
            raise Throttled(detail, retry_after=1)
        self.address.held += 1
        self.address.seats -= 1

    def resume(self) -> None:
        self.address.held -= 1
        self.address.seats += 1

    def leave(self) -> None:
        self.address.seats -= 1
        if not self.address.seats and not self.address.held:
            self._occupancy.forget(self._name)


SEAT: Final = web.RequestKey("seat", Seat)


CALLER: Final = web.RequestKey("caller", str)
"""The address that a trusted proxy told."""


def caller(request: web.Request) -> str:
    """Whose request it is, as an address."""
    return request.get(CALLER) or request.remote or ""


def site(request: web.Request) -> str:
    """Whose request it is, with all of an IPv6 /64 as one."""
    address = caller(request)
    return _who(address) if address else ""


@contextmanager
def held(request: web.Request) -> Iterator[None]:
    """While an authenticated caller waits on purpose. Raises Throttled when its address holds too many."""
    protocol = request.protocol
    seat = request.get(SEAT) or (protocol.seat if isinstance(protocol, Connection) else None)
    if seat is None:
        yield
        return
    seat.hold()
    try:
        yield
    finally:
        seat.resume()


class Connection(web.RequestHandler):
    """Reads aiohttp's own marks of where it stands: nothing on the way of a request but one addition."""

    __slots__ = ("_guard", "_received", "_stream", "_watch", "seat")

    def __init__(self, guard: Guard, server: web.Server, **options: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._guard = guard
        self._received = 0
        self._watch = UNSEEN
        self._stream: asyncio.Transport | None = None
        self.seat: Seat | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stream = stream = cast("asyncio.Transport", transport)
        if self._guard.admit(self, stream):
            super().connection_made(transport)
        else:
            self._force_close = True
            stream.write(_TOO_MANY)
            stream.close()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._guard.discard(self):
            super().connection_lost(exc)

    @property
    def is_idle(self) -> bool:
        return self._turn() is Turn.IDLE

    def abort(self) -> None:
        """At once, and without a word: what is still to be sent would wait, here or in the kernel, for who does not read."""
        if self._stream is not None:
            self._stream.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._stream.abort()

    def is_overdue(self, now: float, limits: Limits) -> bool:
        turn = self._turn()
        if turn is Turn.ANSWER:
            assert self._stream is not None
            passed = -self._stream.get_write_buffer_size()
        else:
            passed = self._received
        self._watch = watch = observed(self._watch, turn, self._request_count, passed, now, limits)
        return watch.left <= 0

    def _turn(self) -> Turn:
        if self.writing_paused or (self._stream is not None and self._stream.is_closing()):
            return Turn.ANSWER
        if self._waiter is not None:
            return Turn.IDLE if self._request_count and not self._is_beginning() else Turn.HEAD
        request = self._current_request
        if request is None or request.content.is_eof() or self._reading_paused:
            return Turn.OURS
        return Turn.BODY

    def _is_beginning(self) -> bool:
        """Whether bytes of another request came since the connection was first seen to be idle."""
        watch = self._watch
        return (
            watch.turn in (Turn.IDLE, Turn.HEAD)
            and watch.request == self._request_count
            and (watch.turn is Turn.HEAD or self._received > watch.bytes)
        )


class Guard:
    """Lets connections in and sweeps out the slow ones."""

    def __init__(self, settings: Settings) -> None:
        self._limits = Limits(settings.header_timeout, settings.stall_timeout, settings.slowest_rate)
        self._options = {
            "access_log": None,
            "keepalive_timeout": settings.idle_timeout,
            "lingering_time": LINGERING_SHARE * settings.stall_timeout,
            "auto_decompress": False,
        }
        self._proxies = settings.proxies
        self._occupancy = Occupancy(settings.max_connections_per_address, settings.max_held_per_address)
        self._connections: set[Connection] = set()

    def site(self, runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None) -> web.BaseSite:
        return _Site(self, runner, host, port, tls)

    @property
    def handshake_timeout(self) -> float:
        return self._limits.head

    def connection(self, server: web.Server) -> Connection:
        return Connection(self, server, **self._options)

    def admit(self, connection: Connection, stream: asyncio.Transport) -> bool:
        """Behind a proxy that is trusted, requests take the seats; see `middleware`."""
        address = _peer(stream)
        if address is not None and not _is_in(address, self._proxies):
            seat = self._occupancy.take(address) or self._make_room(address)
            if seat is None:
                return False
            connection.seat = seat
            seat.address.connections[connection] = None
        self._connections.add(connection)
        return True

    def discard(self, connection: Connection) -> bool:
        """Whether it had been let in."""
        if connection not in self._connections:
            return False
        self._connections.discard(connection)
        if connection.seat is not None:
            connection.seat.address.connections.pop(connection, None)
            connection.seat.leave()
        return True

    def middleware(self) -> Middleware:
        """Counts by the address that a trusted proxy tells. Whoever else sends `X-Forwarded-For` is not believed."""

        @web.middleware
        async def seated(request: web.Request, handler: Handler) -> web.StreamResponse:
            peer = request.remote
            if peer is None or not _is_in(peer, self._proxies):
                return await handler(request)
            address = forwarded_for(request.headers.getall("X-Forwarded-For", ()), peer, self._proxies)
            seat = self._occupancy.take(address)
            if seat is None:
                detail = "There are too many requests at once from this address."
                raise Throttled(detail, retry_after=1)
            request[SEAT], request[CALLER] = seat, address
            try:
                return await handler(request)
            finally:
                seat.leave()

        return seated

    async def run(self) -> None:
        """Sweeps often enough that a tenth is added to every limit."""
        loop = asyncio.get_running_loop()
        shortest = min(self._limits.head, self._limits.stall)
        while True:
            await asyncio.sleep(shortest / SWEEPS_PER_STALL)
            now = loop.time()
            overdue = [connection for connection in self._connections if connection.is_overdue(now, self._limits)]
            for connection in overdue:
                connection.abort()
            if overdue:
                log.info("connections.slow", closed=len(overdue), open=len(self._connections))

    def _make_room(self, address: str) -> Seat | None:
        """The seat of the oldest connection that waits between two requests: its client opens another."""
        for connection in self._occupancy.of(address).connections:
            if connection.is_idle:
                self.discard(connection)
                connection.abort()
                return self._occupancy.take(address)
        return None


class _Site(web.BaseSite):
    """As aiohttp's own, but its connections are ours."""

    def __init__(self, guard: Guard, runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(runner, ssl_context=tls)
        self._guard = guard
        self._place = (host, port)
        assert runner.server is not None
        self._requests = runner.server

    @property
    def name(self) -> str:
        return "{}:{}".format(*self._place)

    async def start(self) -> None:
        await super().start()
        host, port = self._place
        self._server = await asyncio.get_running_loop().create_server(
            lambda: self._guard.connection(self._requests),
            host,
            port,
            ssl=self._ssl_context,
            backlog=BACKLOG,
            ssl_handshake_timeout=self._guard.handshake_timeout if self._ssl_context else None,
        )


def forwarded_for(headers: Sequence[str], peer: str, proxies: Sequence[Network]) -> str:
    """The last address on the way here that is no proxy of ours."""
    address = peer
    for hop in reversed([hop.strip() for header in headers for hop in header.split(",")]):
        try:
            address = str(ipaddress.ip_address(hop))
        except ValueError:
            return address
        if not _is_in(address, proxies):
            return address
    return address


def _peer(stream: asyncio.Transport) -> str | None:
    peer = stream.get_extra_info("peername")
    return peer[0] if isinstance(peer, tuple) else None


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    if not networks:
        return False
    parsed = ipaddress.ip_address(address)
    return any(parsed in network for network in networks)


def _who(address: str) -> str:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed.version == 4:
        return address
    return (
        parsed.ipv4_mapped.compressed if parsed.ipv4_mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    )
