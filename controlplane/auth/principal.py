"""The caller, as services know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from controlplane.domain.permissions import GRANTS, Action, Role
from controlplane.domain.throttle import Operation, Pace
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

    def counted_as(self, operation: Operation) -> tuple[str, Operation]:
        """Whose calls these are: a user's own, but all of a tenant's cancels are counted together."""
        if operation is Operation.CANCEL and self.tenant_id is not None:
            return self.tenant_id, operation
        return self.user_id, operation

    def check(self, action: Action) -> None:
        """Raises TenantSuspended, or Forbidden in the same words whatever the action was to be done to."""
        if self.is_suspended:
            raise TenantSuspended("This tenant is suspended; ask the operators of this service.")
        if action in GRANTS[self.role]:
            return
        if self.tenant_id is None:
            raise Forbidden(_NO_TENANT)
        if action not in GRANTS[Role.TENANT_ADMIN]:
            raise Forbidden("This is for operators.")
        raise Forbidden(f"You may not do this: your user lacks `{action}`.")

    @property
    def tenant(self) -> TenantId:
        """The tenant on whose behalf this call is made. Raises Forbidden for operators, who own no jobs."""
        if self.tenant_id is None:
            raise Forbidden(_NO_TENANT)
        return self.tenant_id
