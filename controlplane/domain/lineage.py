"""Which of two starts under one credential came after the other, and whether they are starts of the same machine.

An agent keeps on disk which of its starts was answered last, and names it, and those that were never answered, when it
starts again. A start that does not name the one the control plane knows is of another machine with the same credential,
or of one whose disk was set back. Which of the two shows as soon as the older start says anything more. Of starts of one
machine an older one that speaks a whole lease after it was followed is no message that was long on the way.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from shared.ids import BootId


class Kinship(StrEnum):
    SAME = "same"
    SUCCESSOR = "successor"
    LATE = "late"  # an ancestor of the present start: its hello was long on the way, or its machine was copied
    STRANGER = "stranger"


def kinship(
    boot_id: BootId, before: Collection[BootId] | None, *, present: BootId | None, ancestors: Collection[BootId]
) -> Kinship:
    """Of a start that says hello to the one that is known, before which came `ancestors`. One that tells nothing of its
    own past is taken for a successor."""
    if boot_id == present:
        return Kinship.SAME
    if boot_id in ancestors:
        return Kinship.LATE
    return Kinship.SUCCESSOR if present is None or before is None or present in before else Kinship.STRANGER


def are_two_alive(
    spoke: BootId, *, rival: BootId | None, ancestors: Collection[BootId], followed_for: int, lease: int
) -> bool:
    """Whether a message of a start that another has followed proves that both run. Durations in milliseconds."""
    return spoke == rival or (spoke in ancestors and followed_for > lease)
