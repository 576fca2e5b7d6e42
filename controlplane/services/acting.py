"""Who acts just now: known to everything that is done on behalf of one call."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from controlplane.domain.auditing import Act


@dataclass
class Acting:
    """A caller and what the call is about. Agents and the service's own loops have none."""

    user_id: str
    role: str
    tenant_id: str | None
    address: str
    request_id: str
    action: str
    objects: tuple[str, ...]
    is_owed: bool
    """Whether the audit log is still to get this call's row."""

    def act(self, result: Any = None) -> Act:
        """Names what was made, too, when the call did not."""
        made = _name_of(result)
        objects = self.objects if made is None or made in self.objects else (*self.objects, made)
        return Act(
            self.user_id, self.role, self.tenant_id, self.address, self.request_id, self.action, "/".join(objects)
        )


ACTING: Final[ContextVar[Acting | None]] = ContextVar("acting", default=None)


def _name_of(result: Any) -> str | None:
    """Of the record that an operation returned."""
    record = getattr(result, "job", result)
    name = getattr(record, "id", None) or getattr(record, "name", None)
    return name if isinstance(name, str) else None
