"""How often nodes speak, and how long they may be silent."""

from __future__ import annotations

from typing import Final

from controlplane.settings import Settings
from controlplane.store.operations import identity
from controlplane.store.port import Store
from shared.protocol import Timings

BEATS_PER_LEASE: Final = 6


class Tempo:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.timings = self._for(0)

    @property
    def lease_ms(self) -> int:
        return int(self.timings.lease * 1000)

    async def count_nodes(self, store: Store) -> None:
        """There may be more of them than before."""
        self.timings = self._for(await store.read(identity.count_nodes()))

    def _for(self, nodes: int) -> Timings:
        """With many nodes each beats more seldom, so that together they never send more than `beats_per_second`."""
        stretch = nodes / self._settings.beats_per_second
        beat = max(self._settings.beat_interval, stretch)
        return Timings(
            beat_interval=beat,
            lease=max(self._settings.lease, BEATS_PER_LEASE * beat),
            poll_wait=self._settings.poll_wait,
            progress_interval=max(self._settings.progress_interval, stretch),
        )
