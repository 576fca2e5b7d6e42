"""How much is tried: little for every change, much when `TRANSCODER_SOAK` is set."""

from __future__ import annotations

import os

IS_SOAKING = bool(os.environ.get("TRANSCODER_SOAK"))


def times(usually: int, soaking: int) -> int:
    return soaking if IS_SOAKING else usually
