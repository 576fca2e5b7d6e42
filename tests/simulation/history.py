"""What happened, for those who check it: also what no database knows."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field

from shared.ids import JobId
from shared.protocol import AttemptRef


class Violation(AssertionError):
    """A promise was broken."""


@dataclass
class History:
    acknowledged: dict[JobId, str] = field(default_factory=dict)
    """Jobs whose submission was answered, by the token they were sent with."""
    canceled: set[JobId] = field(default_factory=set)
    """Jobs whose cancellation was answered."""
    stopped: set[JobId] = field(default_factory=set)
    """Jobs whose stop was answered."""
    begun: dict[JobId, list[AttemptRef]] = field(default_factory=lambda: defaultdict(list))
    """Attempts whose ffmpeg would have run."""
    told: int = 0
    trace: list[str] | None = None
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def tell(self, at: float, *words: object) -> None:
        line = " ".join((f"{at:.6f}", *map(str, words)))
        self.told += 1
        self._digest.update(line.encode())
        if self.trace is not None:
            self.trace.append(line)

    @property
    def fingerprint(self) -> str:
        """Equal for equal histories."""
        return self._digest.hexdigest()

    def submitted(self, job_id: JobId, token: str) -> None:
        made = [known for known, its in self.acknowledged.items() if its == token]
        if made and made != [job_id]:
            raise Violation(f"{token} made {made[0]} and {job_id}")
        self.acknowledged[job_id] = token

    def began(self, job_id: JobId, ref: AttemptRef) -> None:
        if job_id in self.canceled:
            raise Violation(f"{job_id} runs although its cancellation was acknowledged")
        if earlier := [attempt.attempt for attempt in self.begun[job_id] if attempt.attempt >= ref.attempt]:
            raise Violation(f"attempt {ref.attempt} of {job_id} runs after {earlier}")
        self.begun[job_id].append(ref)
