"""What becomes of a task whose attempt ended without a result: whose fault it was decides, and each has its own rule.

the input's   final: another node would find the same
the node's    another attempt, soon and elsewhere; not the job's to pay for, but not without end
unknown       another attempt out of `max_attempts`, later each time and elsewhere
it killed     the agent's process ended while it worked on this: an attempt of the job's, alone on its node from now
              on, and quarantined when that happened on two nodes
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from controlplane.domain.trust import Breaker
from shared.failures import Cause, Failure, FailureCode
from shared.ids import NodeId
from shared.protocol import Interruption
from shared.statuses import Phase

FIRST_DELAY_MS: Final = 1_000
GROWTH: Final = 4
LONGEST_DELAY_MS: Final = 60_000

NODES_KILLED: Final = 2
"""Work that ended the agents of so many nodes is given to no other."""
NODES_REMEMBERED: Final = 8

MEDIA_PHASES: Final = frozenset({Phase.PROBING, Phase.ENCODING, Phase.VERIFYING})
"""What of the tenant's is read by a program of ours, which may die of it."""

SILENCE: Final = Failure(
    cause=Cause.UNKNOWN, code=FailureCode.NODE_FAULT, message="the node fell silent while it worked on this job"
)
KILLED: Final = Failure(
    cause=Cause.UNKNOWN, code=FailureCode.NODE_FAULT, message="the agent's process ended while it worked on this job"
)
RESTARTED: Final = Failure(
    cause=Cause.NODE, code=FailureCode.NODE_FAULT, message="the agent's process ended before it had read the input"
)
REBOOTED: Final = Failure(
    cause=Cause.NODE, code=FailureCode.NODE_FAULT, message="the machine started anew while it worked on this job"
)


@dataclass(frozen=True)
class Rules:
    """How much of what is not the job's fault is put up with: from nodes, and from the storage of results."""

    node_faults: int = 10
    publish_within_ms: int = 3_600_000
    breaker: Breaker = field(default_factory=Breaker)


@dataclass(frozen=True)
class Tally:
    """What a task has been through. `spent` counts attempts since they were accepted, so it includes the one that ends."""

    allowed: int
    spent: int = 0
    node_faults: int = 0
    failed_on: tuple[NodeId, ...] = ()
    killed_on: tuple[NodeId, ...] = ()

    @property
    def is_suspect(self) -> bool:
        """An agent died while it worked on this: it runs alone."""
        return bool(self.killed_on)


@dataclass(frozen=True)
class Retry:
    """Try again, not before `delay_ms` from now."""

    delay_ms: int
    tally: Tally


class Ended(StrEnum):
    """How an attempt ended whose agent said nothing more of it."""

    SILENT = "silent"
    KILLED = "killed"
    RESTARTED = "restarted"
    REBOOTED = "rebooted"
    TAKEN_AWAY = "taken_away"  # by an operator


def after_failure(failure: Failure, tally: Tally, node_id: NodeId, rules: Rules) -> Retry | Failure:
    """The node itself told what went wrong."""
    tried = _elsewhere(tally, node_id)
    match failure.cause:
        case Cause.INPUT:
            return failure
        case Cause.NODE:
            return _after_node_fault(failure, tried, rules)
        case Cause.UNKNOWN:
            if tally.spent >= tally.allowed:
                return failure
            return Retry(delay_ms(tally.spent), tried)


def after_interruption(how: Ended, tally: Tally, node_id: NodeId, rules: Rules) -> Retry | Failure:
    """The attempt ended with its node's silence, or with its agent, as that tells at its next start.

    Nobody waits out a delay: time has passed already.
    """
    tried = _elsewhere(tally, node_id)
    match how:
        case Ended.REBOOTED | Ended.RESTARTED:
            fault = REBOOTED if how is Ended.REBOOTED else RESTARTED
            verdict = _after_node_fault(fault, tried, rules)
            return Retry(0, verdict.tally) if isinstance(verdict, Retry) else verdict
        case Ended.TAKEN_AWAY:
            return Retry(0, replace(tried, spent=max(0, tried.spent - 1)))
        case Ended.SILENT:
            return _unless_spent(SILENCE, tried)
        case Ended.KILLED:
            killed = replace(tried, killed_on=_with(tally.killed_on, node_id))
            if len(killed.killed_on) >= NODES_KILLED:
                return quarantined(len(killed.killed_on))
            return _unless_spent(KILLED, killed)


def how_it_ended(told: Interruption | None) -> Ended:
    """From what the agent read in its journal. Without an entry nothing is known, as with silence."""
    if told is None:
        return Ended.SILENT
    if told.by == "reboot":
        return Ended.REBOOTED
    return Ended.KILLED if told.phase in MEDIA_PHASES else Ended.RESTARTED


def delay_ms(failures: int) -> int:
    """Before the attempt after so many failures: 1 s, 4 s, 16 s, then a minute each time."""
    growth: int = GROWTH ** min(max(0, failures - 1), 8)
    return min(LONGEST_DELAY_MS, FIRST_DELAY_MS * growth)


def quarantined(nodes: int) -> Failure:
    return Failure(
        cause=Cause.UNKNOWN,
        code=FailureCode.QUARANTINED,
        message=f"The agents of {nodes} nodes ended while they worked on this job; it is given to no other.",
    )


def _after_node_fault(failure: Failure, tally: Tally, rules: Rules) -> Retry | Failure:
    faults = tally.node_faults + 1
    if faults >= rules.node_faults:
        return _out_of_attempts(f"{faults} attempts failed on their nodes; the last: {failure.message}")
    return Retry(delay_ms(faults), replace(tally, node_faults=faults, spent=max(0, tally.spent - 1)))


def _unless_spent(failure: Failure, tally: Tally) -> Retry | Failure:
    if tally.spent < tally.allowed:
        return Retry(0, tally)
    return _out_of_attempts(f"{tally.spent} attempts came to nothing; the last: {failure.message}")


def _out_of_attempts(message: str) -> Failure:
    return Failure(cause=Cause.NODE, code=FailureCode.OUT_OF_ATTEMPTS, message=message[:255])


def _elsewhere(tally: Tally, node_id: NodeId) -> Tally:
    return replace(tally, failed_on=_with(tally.failed_on, node_id))


def _with(nodes: tuple[NodeId, ...], node_id: NodeId) -> tuple[NodeId, ...]:
    return (*(node for node in nodes if node != node_id), node_id)[-NODES_REMEMBERED:]
