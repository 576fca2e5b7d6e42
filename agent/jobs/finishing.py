"""Does to verified files what their packaging says: encrypts, joins and marks them. In constant memory, whatever their size."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from agent.jobs.encryption import encrypt
from agent.media import Encrypt, Join, Mark, Recipe

CHUNK: Final = 1 << 20


def finish(directory: Path, recipes: Iterable[Recipe]) -> None:
    """Follows the recipes in their order. What they make stands under its name only when it is whole."""
    for recipe in recipes:
        FOLLOWED[type(recipe)](directory, recipe)


def _encrypt(directory: Path, recipe: Encrypt) -> None:
    for name in recipe.names:
        encrypt(directory / name, recipe.cipher)


def _join(directory: Path, recipe: Join) -> None:
    """Each part goes as soon as it is in: there is never room needed for all of it twice."""
    with (directory / recipe.name).open("wb") as target:
        for part in recipe.parts:
            with (directory / part).open("rb") as source:
                shutil.copyfileobj(source, target, CHUNK)
            if not recipe.keeps_parts:
                (directory / part).unlink()


def _mark(directory: Path, recipe: Mark) -> None:
    with (directory / recipe.name).open("r+b") as file:
        file.seek(recipe.offset)
        file.write(recipe.content)


FOLLOWED: Final[Mapping[type[Recipe], Callable[[Path, Any], None]]] = {Encrypt: _encrypt, Join: _join, Mark: _mark}
