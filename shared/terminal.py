"""Where commands print what people read.

What is printed is said as it is: keys and names that tenants choose may look like markup, or like the names of emoji.
"""

from __future__ import annotations

from typing import Final

from rich.console import Console

UNBOUNDED: Final = 10_000
"""Columns."""


def console() -> Console:
    """Of standard output. Where no terminal bounds them, lines are as long as they are: who reads them wants whole ids."""
    made = progress_console()
    if not made.is_terminal:
        made.width = UNBOUNDED
    return made


def progress_console(*, stderr: bool = False) -> Console:
    """For bars, which fill a line wherever they are shown."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)
