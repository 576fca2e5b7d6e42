"""Who acts just now: known to everything that is done on behalf of one call."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
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
REQUEST: Final[ContextVar[str | None]] = ContextVar("request", default=None)
"""The id of the request that is being answered, an agent's too."""


@contextmanager
def also(action: str) -> Iterator[None]:
    """What a call does besides, and what gets a row of its own in the audit log."""
    acting = ACTING.get()
    before = ACTING.set(acting and replace(acting, action=action, objects=(), is_owed=True))
    try:
        yield
    finally:
        ACTING.reset(before)


def _name_of(result: Any) -> str | None:
    """Of the record that an operation returned."""
    record = getattr(result, "job", result)
    name = getattr(record, "id", None) or getattr(record, "name", None)
    return name if isinstance(name, str) else None


def who_acts(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Adds to an event whose call it came from."""
    request_id = REQUEST.get()
    if request_id is not None:
        event.setdefault("request_id", request_id)
    acting = ACTING.get()
    if acting is not None:
        event.setdefault("user_id", acting.user_id)
        if acting.tenant_id is not None:
            event.setdefault("tenant_id", acting.tenant_id)
    return event
