"""When the silence of nodes is believed, and when it is taken for deafness of our own. Times are milliseconds."""

from __future__ import annotations

from typing import Final

BRAKE_FROM_NODES: Final = 4
"""In a smaller cluster, most of it being away is nothing unusual."""


def noticed_after(lease: int) -> int:
    """How long a node is silent when it counts as silent.

    Sooner than its lease ends: nodes that are cut off together last spoke at different moments of one beat interval, and
    the first lease to end must find the others silent already.
    """
    return lease // 2


def is_probably_ours(*, nodes: int, silent: int, share: float) -> bool:
    """Whether so much of a cluster fell silent at once that the network, or this service, is the likelier cause."""
    return nodes >= BRAKE_FROM_NODES and silent / nodes >= share


def forgiven_before(*, started_at: int, now: int, amnesty: int, lease: int) -> int:
    """Leases that end before this time are spared: they were last renewed when this service could not hear, or never."""
    return started_at + lease if now < started_at + amnesty else 0
