"""Whether a node is trusted with work: the breaker that sets a bad one aside, and what a node on trial may take."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.statuses import NodeTrust as S

DOUBT_WINDOW_MS: Final = 600_000
"""Of a tenant's attempts within this time twenty or more end, and half of them fail: then one of its jobs runs at a time, until
one succeeds. What poisons nodes, or only wastes their time, costs a fleet no more than that."""

DOUBTED: Final = frozenset({S.SET_ASIDE, S.ON_TRIAL})


@dataclass(frozen=True)
class Breaker:
    """So many node faults within the window set a node aside; after the pause it is tried with one task."""

    faults: int = 3
    window_ms: int = 600_000
    pause_ms: int = 300_000


class Admits(StrEnum):
    NOTHING = "nothing"
    ONE = "one"
    ANYTHING = "anything"


def after_fault(trust: S, *, faults: int, breaker: Breaker) -> S:
    """`faults` of the window include this one. A node that fails its trial is set aside again at once."""
    if trust is S.CLONED:
        return trust
    return S.SET_ASIDE if trust in DOUBTED or faults >= breaker.faults else trust


def after_success(trust: S) -> S:
    """Work that was finished well on trial ends the doubt. What was under way before the node was set aside proves nothing."""
    return S.GOOD if trust is S.ON_TRIAL else trust


def admits(trust: S, *, since: int, now: int, holds: int, holds_suspect: bool, breaker: Breaker) -> Admits:
    """What a node that holds so many tasks may be given. Beside a suspect task nothing runs."""
    if trust is S.CLONED or holds_suspect:
        return Admits.NOTHING
    if trust is S.GOOD:
        return Admits.ANYTHING
    is_due = trust is S.ON_TRIAL or now >= since + breaker.pause_ms
    return Admits.ONE if is_due and not holds else Admits.NOTHING
