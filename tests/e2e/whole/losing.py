"""A network between an agent and its control plane that loses, doubles and delays messages."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

FATES: Final = {"arrives": 10, "is lost": 3, "loses its answer": 3, "arrives twice": 3, "comes late": 3}
LATE_SECONDS: Final = 0.3


class Network:
    """Each message of an agent has a fate, drawn with a seed; files pass."""

    def __init__(self, to: Callable[[], int], seed: int) -> None:
        self._to = to
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.fates: Counter[str] = Counter()

    def fate(self, path: str) -> str:
        if not path.startswith("/agent/v1/") or path.endswith("/enrol"):
            return "arrives"
        with self._lock:
            (drawn,) = self._random.choices(list(FATES), list(FATES.values()))
            self.fates[drawn] += 1
        return drawn

    @contextmanager
    def running(self) -> Iterator[int]:
        """The port on which it is entered."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._to(), timeout=30)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()


def _handler(network: Network) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            fate = network.fate(self.path)
            self.close_connection = fate in ("is lost", "loses its answer")
            if fate == "is lost":
                return
            if fate == "comes late":
                time.sleep(LATE_SECONDS)
            try:
                for _ in range(2 if fate == "arrives twice" else 1):
                    status, headers, answer = network.forward(self.command, self.path, dict(self.headers), body)
            except OSError:
                self.close_connection = True
                return
            if fate != "loses its answer":
                self.send_response(status)
                for name in ("Content-Type", "Content-Range", "ETag", "Last-Modified", "Upload-Offset", "Retry-After"):
                    if name in headers:
                        self.send_header(name, headers[name])
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        do_GET = do_PUT = do_POST = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return Handler
