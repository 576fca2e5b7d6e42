"""Stands between an agent and its control plane, and does something at a chosen byte of what passes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

CHUNK = 4096


@dataclass(frozen=True)
class Trap:
    """Springs, once, at the first request that begins like this."""

    request: bytes
    after: int
    """Bytes that have passed since the request line, of the answer or of the request itself."""
    of_answer: bool
    spring: Callable[[], None]


class Between:
    """Relays byte by byte as they come; a thread for each direction of each connection."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._trap: Trap | None = None
        self.has_sprung = threading.Event()
        self._connections: list[_Connection] = []
        self._accepting = threading.Thread(target=self._accept)

    def set(self, trap: Trap) -> None:
        self.has_sprung.clear()
        self._trap = trap

    def start(self) -> None:
        self._accepting.start()

    def end(self) -> None:
        """Everything is closed when it returns."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for connection in self._connections:
            connection.end()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._connections.append(_Connection(self, near, far))

    def _sprung(self, trap: Trap) -> None:
        if self._trap is trap:
            self._trap = None
            trap.spring()
            self.has_sprung.set()


class _Connection:
    def __init__(self, between: Between, near: socket.socket, far: socket.socket) -> None:
        self._between, self._near, self._far = between, near, far
        self._trap: Trap | None = None
        self._passed = 0
        self._threads = [threading.Thread(target=relay) for relay in (self.upwards, self.downwards)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        for side in (self._near, self._far):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._near.close()
        self._far.close()

    def upwards(self) -> None:
        for chunk in _chunks(self._near):
            trap = self._between._trap
            if trap is not None and trap.request in chunk:
                self._trap, self._passed = trap, -len(chunk)
            self._count(chunk, of_answer=False)
            with contextlib.suppress(OSError):
                self._far.sendall(chunk)
        _end(self._far)

    def downwards(self) -> None:
        for chunk in _chunks(self._far):
            self._count(chunk, of_answer=True)
            with contextlib.suppress(OSError):
                self._near.sendall(chunk)
        _end(self._near)

    def _count(self, chunk: bytes, *, of_answer: bool) -> None:
        trap = self._trap
        if trap is None or trap.of_answer is not of_answer:
            return
        self._passed += len(chunk)
        if self._passed >= trap.after:
            self._trap = None
            self._between._sprung(trap)


def _chunks(source: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK):
            yield chunk


def _end(sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
