"""Where commands print what people read."""

from __future__ import annotations

from typing import Final

from rich.console import Console

UNBOUNDED: Final = 10_000
"""Columns."""


def console() -> Console:
    """Of standard output. Where no terminal bounds them, lines are as long as they are: who reads them wants whole ids."""
    made = Console()
    if not made.is_terminal:
        made.width = UNBOUNDED
    return made
