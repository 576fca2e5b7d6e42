"""What the control plane's log keeps to itself."""

from __future__ import annotations

from controlplane.server import redact


def test_neither_links_nor_credentials_are_logged() -> None:
    said = {
        "event": "request.failed",
        "path": "/objects/WyJnZXQi.abc/in/film.mp4",
        "exception": "KeyError: 'etk_01a2_secret_crc' of http://here/objects/token/x",
        "task_id": "1763750000000-00a1b2-0",
    }
    assert redact(None, "error", said) == {
        "event": "request.failed",
        "path": "/objects/…",
        "exception": "KeyError: 'etk_…' of http://here/objects/…",
        "task_id": "1763750000000-00a1b2-0",
    }
