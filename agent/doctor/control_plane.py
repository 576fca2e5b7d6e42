"""Whether the control plane is there, knows this node and speaks its protocol."""

from __future__ import annotations

from agent.doctor.finding import Finding, failure, good, warning
from agent.doctor.subject import Subject
from agent.refusals import ProtocolTooOld, Revoked
from shared.statuses import NodeState


async def check(subject: Subject) -> list[Finding]:
    identity, heard = subject.identity, subject.heard
    if identity is None:
        return [failure("this machine has not joined a control plane", "transcoder agent join URL --token-file FILE")]
    match heard.problem:
        case None:
            pass
        case Revoked():
            return [
                failure(
                    f"{identity.url} refuses this node's credential",
                    "transcoder agent join --again URL --token-file FILE",
                )
            ]
        case ProtocolTooOld():
            return [failure(f"{identity.url} speaks a newer protocol: {heard.problem}", "upgrade the agent")]
        case problem:
            return [
                failure(f"{identity.url} gives no answer: {problem}", f"curl -v {identity.url.rstrip('/')}/healthz")
            ]
    if heard.answer is None:
        return [warning("this node's credential cannot be read: the control plane was not asked", "run this as root")]
    said = f"{identity.url} knows this node as {heard.answer.node_id} in {heard.answer.cluster_id}"
    if heard.answer.state is not NodeState.ACTIVE:
        return [warning(f"{said}: {heard.answer.state}, it gets no work", "transcoder agent resume")]
    return [good(said)]
