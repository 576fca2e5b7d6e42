"""A stand-in for the control plane's front door, in a thread: commands run event loops of their own."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final

JOIN_TOKEN: Final = "etj_once"
CHECKED: Final = {
    "node_id": "nd_1",
    "cluster_id": "paris-1",
    "labels": {"gpu": "l4"},
    "link": "/objects/x/nd_1",
    "link_size": 1,
    "running": 0,
}


class _Handler(BaseHTTPRequestHandler):
    server: StandInServer

    def do_GET(self) -> None:
        self._answer(200, {"status": "ok"})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/check"):
            self._answer(200, {**CHECKED, "state": self.server.next_state(), "server_time_ms": _now_ms()})
        elif self.path.endswith("/draining"):
            self.server.states = ("Draining", "Drained") if asked["draining"] else ("Active",)
            self._answer(200, {"state": self.server.next_state()})
        elif asked["join_token"] != JOIN_TOKEN:
            self._answer(401, {"code": "unauthenticated", "detail": "It was used already."})
        else:
            self.server.enrolled += 1
            self._answer(200, {"node_id": "nd_1", "credential": "c", "cluster_id": "paris-1"})

    def log_message(self, *_: object) -> None:
        """Silent."""

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class StandInServer(HTTPServer):
    enrolled = 0
    states: tuple[str, ...] = ("Active",)
    """What the node is said to be, one after the other."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)

    def next_state(self) -> str:
        now, *rest = self.states
        self.states = tuple(rest) or (now,)
        return now

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
