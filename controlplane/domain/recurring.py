"""What is worth remembering: whatever comes a second time. Of what comes once nothing stays but that it came."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recurring(Generic[K, V]):
    """Holds so many values at most; then all begin anew."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[K, V] = {}
        self._met: set[int] = set()

    def get(self, key: K) -> V | None:
        return self._known.get(key)

    def offer(self, key: K, value: V) -> None:
        """Kept when the key was offered before."""
        name = hash(key)
        if name not in self._met:
            _make_room(self._met, 16 * self._most)
            self._met.add(name)
            return
        _make_room(self._known, self._most)
        self._known[key] = value


def _make_room(held: set[int] | dict[K, V], most: int) -> None:
    if len(held) >= most:
        held.clear()
