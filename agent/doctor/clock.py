"""How far this machine's clock is from the control plane's. Leases do not mind; certificates, links and logs do."""

from __future__ import annotations

from agent.client import CLOCK_ALARM
from agent.doctor.finding import Finding, fact, failure, good
from agent.doctor.subject import Subject


async def check(subject: Subject) -> list[Finding]:
    skew = subject.heard.clock_skew
    if skew is None:
        return [fact("not compared: the control plane did not tell the time")]
    if abs(skew) > CLOCK_ALARM:
        side = "behind" if skew > 0 else "ahead of"
        return [failure(f"this clock is {abs(skew):.1f} s {side} the control plane's", "timedatectl set-ntp true")]
    return [good(f"this clock is {abs(skew):.1f} s from the control plane's")]
