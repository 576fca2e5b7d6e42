"""Which fields of a job a test shows at work: `docs/fields.md` is made from these marks."""

from __future__ import annotations

import pytest


def shows(*fields: str) -> pytest.MarkDecorator:
    """Paths as in the document: "outputs[].rotate", "settings.video.bit_rate", "playlists[].format=HLSv4"."""
    return pytest.mark.shows(*fields)
