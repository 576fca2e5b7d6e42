"""What some tests need of the machine, and `./run test` installs or CI has."""

from __future__ import annotations

import os

import pytest


def needs(there: bool, otherwise: str) -> pytest.MarkDecorator:
    """Skips a test where something is lacking. In CI nothing may be: there the test runs, and fails."""
    return pytest.mark.skipif(not there and "CI" not in os.environ, reason=otherwise)
