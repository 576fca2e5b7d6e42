"""A stand-in for the control plane's front door, in a thread: commands run event loops of their own."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final

JOIN_TOKEN: Final = "join-once"


class _Handler(BaseHTTPRequestHandler):
    server: StandInServer

    def do_GET(self) -> None:
        self._answer(200, {"status": "ok"})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["join_token"] != JOIN_TOKEN:
            self._answer(401, {"code": "unauthenticated", "detail": "It was used already."})
            return
        self.server.enrolled += 1
        self._answer(200, {"node_id": "nd_1", "credential": "c", "cluster_id": "paris-1"})

    def log_message(self, *_: object) -> None:
        """Silent."""

    def _answer(self, status: int, body: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class StandInServer(HTTPServer):
    enrolled = 0

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"
