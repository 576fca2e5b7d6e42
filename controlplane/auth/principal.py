"""The caller, as services know it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.errors import Forbidden
from shared.ids import TenantId, UserId


class Role(StrEnum):
    OPERATOR = "operator"
    TENANT = "tenant"


@dataclass(frozen=True)
class Principal:
    user_id: UserId
    role: Role
    tenant_id: TenantId | None  # None for operators

    @property
    def tenant(self) -> TenantId:
        """The tenant on whose behalf this call is made. Raises Forbidden for operators, who own no jobs."""
        if self.tenant_id is None:
            raise Forbidden("Operators own no jobs, pipelines or buckets: use a tenant's key.")
        return self.tenant_id
