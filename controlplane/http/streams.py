"""Event streams: how many each tenant has open.

Every one of them looks at the database whenever something happens to anybody's job: a thousand of one tenant would make all
others wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from controlplane.auth.principal import Principal
from shared.errors import Throttled


class Streams:
    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    @contextmanager
    def one(self, principal: Principal) -> Iterator[None]:
        """While it is open. Raises Throttled when its tenant has as many already; operators are counted one by one."""
        whose = principal.tenant_id or principal.user_id
        if self._open[whose] >= self._most:
            raise Throttled("There are too many event streams of this account.", retry_after=1)
        self._open[whose] += 1
        try:
            yield
        finally:
            self._open[whose] -= 1
            if not self._open[whose]:
                del self._open[whose]
