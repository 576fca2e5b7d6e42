"""The caller, as services know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import orjson

from controlplane.domain.permissions import GRANTS, Action, Reach, Resources, Role, Statement, allowed, reach
from controlplane.domain.throttle import Operation, Pace, together
from shared.errors import Forbidden, TenantSuspended
from shared.ids import TenantId, UserId

_NO_TENANT: Final = "Operators own no jobs, pipelines or buckets: use a tenant's key."


@dataclass(frozen=True)
class Principal:
    user_id: UserId
    role: Role
    tenant_id: TenantId | None  # None for operators
    paces: Mapping[Operation, Pace]
    is_suspended: bool = False
    statements: tuple[Statement, ...] = ()

    @cached_property
    def actions(self) -> frozenset[Action]:
        """What it may do to anything at all."""
        return allowed(self.role, self.statements)

    @cached_property
    def pace_of_tenant(self) -> Pace:
        return together(self.paces)

    def counted_as(self, operation: Operation) -> tuple[str, Operation]:
        """Whose calls these are: a user's own, but all of a tenant's cancels are counted together."""
        if operation is Operation.CANCEL and self.tenant_id is not None:
            return self.tenant_id, operation
        return self.user_id, operation

    def may(self, action: Action, resources: Resources) -> bool:
        if action not in self.actions:
            return False
        found = self._reaches.get(action)
        if found is None:
            found = self._reaches[action] = reach(self.statements, action)
        return found.covers(resources)

    @cached_property
    def _reaches(self) -> dict[Action, Reach]:
        """As far as they were asked for: a list asks for everything that it holds."""
        return {}

    def check_side(self, action: Action) -> None:
        """Raises TenantSuspended, or Forbidden for what only operators do, or only tenants: in the same words whatever it
        was to be done to."""
        if self.is_suspended:
            raise TenantSuspended("This tenant is suspended; ask the operators of this service.")
        if action in self.actions:
            return
        if self.tenant_id is None:
            raise Forbidden(_NO_TENANT)
        if action not in GRANTS[Role.TENANT_ADMIN]:
            raise Forbidden("This is for operators.")

    def check(self, action: Action, resources: Resources) -> None:
        """Raises Forbidden. What belongs to another tenant must not come this far."""
        if not self.may(action, resources):
            raise Forbidden(f"Your user may not do this: it lacks `{action}` here.")

    @property
    def tenant(self) -> TenantId:
        """The tenant on whose behalf this call is made. Raises Forbidden for operators, who own no jobs."""
        if self.tenant_id is None:
            raise Forbidden(_NO_TENANT)
        return self.tenant_id


def statements(text: str) -> tuple[Statement, ...]:
    """As they are stored."""
    return tuple(Statement(tuple(one["actions"]), tuple(one["resources"])) for one in orjson.loads(text))
