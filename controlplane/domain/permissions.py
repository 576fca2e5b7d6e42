"""Who may do what: every action there is, the roles that hold them, and statements that narrow a role.

An action is a noun and a verb. What is not granted here is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a user is for. Operators belong to no tenant and own no jobs; the others belong to one."""

    OPERATOR = "operator"
    TENANT_ADMIN = "tenant_admin"
    TENANT_USER = "tenant_user"
    READ_ONLY = "read_only"


class Action(StrEnum):
    """The catalogue: every route names one of these, and users' permissions are written in them."""

    JOBS_CREATE = "jobs:create"
    JOBS_READ = "jobs:read"
    JOBS_DOWNLOAD = "jobs:download"
    JOBS_CANCEL = "jobs:cancel"
    JOBS_STOP = "jobs:stop"
    JOBS_START = "jobs:start"

    PIPELINES_CREATE = "pipelines:create"
    PIPELINES_READ = "pipelines:read"
    PIPELINES_UPDATE = "pipelines:update"
    PIPELINES_DELETE = "pipelines:delete"
    PIPELINES_PAUSE = "pipelines:pause"
    PIPELINES_RESUME = "pipelines:resume"

    PRESETS_CREATE = "presets:create"
    PRESETS_READ = "presets:read"
    PRESETS_DELETE = "presets:delete"

    BUCKETS_CREATE = "buckets:create"
    BUCKETS_READ = "buckets:read"
    BUCKETS_DELETE = "buckets:delete"

    OBJECTS_CREATE = "objects:create"
    OBJECTS_READ = "objects:read"
    OBJECTS_DOWNLOAD = "objects:download"
    OBJECTS_DELETE = "objects:delete"

    KEYS_CREATE = "keys:create"
    KEYS_READ = "keys:read"
    KEYS_DELETE = "keys:delete"

    QUOTAS_READ = "quotas:read"
    USAGE_READ = "usage:read"

    TENANTS_CREATE = "tenants:create"
    TENANTS_READ = "tenants:read"
    TENANTS_UPDATE = "tenants:update"
    TENANTS_SUSPEND = "tenants:suspend"
    TENANTS_RESUME = "tenants:resume"

    CLUSTERS_CREATE = "clusters:create"
    CLUSTERS_READ = "clusters:read"
    CLUSTERS_UPDATE = "clusters:update"
    CLUSTERS_DELETE = "clusters:delete"
    CLUSTERS_PAUSE = "clusters:pause"
    CLUSTERS_RESUME = "clusters:resume"

    NODES_CREATE = "nodes:create"
    NODES_READ = "nodes:read"
    NODES_UPDATE = "nodes:update"
    NODES_DRAIN = "nodes:drain"
    NODES_RESUME = "nodes:resume"
    NODES_REPROBE = "nodes:reprobe"
    NODES_DELETE = "nodes:delete"

    AUDIT_READ = "audit:read"

    @property
    def noun(self) -> str:
        return self.value.partition(":")[0]

    @property
    def verb(self) -> str:
        return self.value.partition(":")[2]


OPERATORS_OWN: Final = frozenset({"clusters", "nodes", "presets"})
"""Nouns under which operators see nothing of tenants'. Their looks at all others are audited."""

READING: Final = frozenset({"read", "download"})
"""The verbs that change nothing."""


def _every(*nouns: str) -> frozenset[Action]:
    return frozenset(action for action in Action if action.noun in nouns)


_WORK: Final = _every("jobs", "pipelines", "presets", "buckets", "objects", "quotas", "usage")

GRANTS: Final[Mapping[Role, frozenset[Action]]] = {
    Role.OPERATOR: _every("tenants", "clusters", "nodes", "keys", "audit") | {Action.PRESETS_READ},
    Role.TENANT_ADMIN: _WORK | _every("keys", "audit"),
    Role.TENANT_USER: _WORK,
    Role.READ_ONLY: frozenset(action for action in _WORK if action.verb in READING),
}
