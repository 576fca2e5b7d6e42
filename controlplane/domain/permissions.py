"""Who may do what: every action there is, the roles that hold them, and statements that narrow a role.

An action is a noun and a verb. What is not granted here is refused: a user may do what its role holds and, when it has
statements, only what one of them allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    JOBS_RETRY = "jobs:retry"
    JOBS_REVEAL = "jobs:reveal"

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

    WEBHOOKS_CREATE = "webhooks:create"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_UPDATE = "webhooks:update"
    WEBHOOKS_DELETE = "webhooks:delete"
    WEBHOOKS_ROTATE = "webhooks:rotate"
    WEBHOOKS_TEST = "webhooks:test"
    WEBHOOKS_REDELIVER = "webhooks:redeliver"

    KEYS_CREATE = "keys:create"
    KEYS_READ = "keys:read"
    KEYS_DELETE = "keys:delete"

    QUOTAS_READ = "quotas:read"
    QUOTAS_UPDATE = "quotas:update"
    USAGE_READ = "usage:read"

    USERS_CREATE = "users:create"
    USERS_READ = "users:read"
    USERS_UPDATE = "users:update"
    USERS_DELETE = "users:delete"

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

    TOPICS_CREATE = "topics:create"
    TOPICS_READ = "topics:read"
    TOPICS_DELETE = "topics:delete"
    TOPICS_CONFIRM = "topics:confirm"
    TOPICS_REDELIVER = "topics:redeliver"

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


_WORK: Final = _every("jobs", "pipelines", "presets", "buckets", "objects", "usage", "webhooks") | {Action.QUOTAS_READ}

GRANTS: Final[Mapping[Role, frozenset[Action]]] = {
    Role.OPERATOR: _every("tenants", "clusters", "nodes", "users", "keys", "topics", "audit") | {Action.PRESETS_READ},
    Role.TENANT_ADMIN: _WORK | _every("quotas", "users", "keys", "audit"),
    Role.TENANT_USER: _WORK,
    Role.READ_ONLY: frozenset(action for action in _WORK if action.verb in READING),
}

NARROWED: Final = frozenset({Role.TENANT_USER, Role.READ_ONLY})
"""The roles that statements may narrow: whoever makes users and keys could give themselves what they lack."""

KINDS: Final = ("pipeline", "job", "preset", "bucket", "cluster")
"""What a resource may be: `pipeline/1763…-00k2x9`, `bucket/input`, `cluster/paris-1`."""

Resources = tuple[str, ...]
"""The names of what a call is about. A job goes by its own, its pipeline's and, once it has one, its cluster's."""


@dataclass(frozen=True)
class Statement:
    """Allows every one of these actions on every one of these resources; in both, `*` stands for anything."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def names(self, action: Action) -> bool:
        return any(matches(pattern, action) for pattern in self.actions)


MOST_PATTERNS: Final = 100
"""Of a user's statements, actions and resources together: all may be gone through for everything that a list holds."""


@dataclass(frozen=True)
class Reach:
    """The resources on which statements leave an action to somebody: all there are, those of these names, or that fit."""

    is_all: bool
    names: frozenset[str]
    patterns: tuple[tuple[str, ...], ...]
    """Each as the parts between its stars."""

    def covers(self, resources: Resources) -> bool:
        """One of the names is enough. What has no name is covered by `*` alone."""
        return (
            self.is_all
            or not self.names.isdisjoint(resources)
            or any(_fits(parts, resource) for resource in resources for parts in self.patterns)
        )


def reach(statements: Sequence[Statement], action: Action) -> Reach:
    found = {pattern for one in statements if one.names(action) for pattern in one.resources}
    stars = tuple(tuple(pattern.split("*")) for pattern in found if "*" in pattern)
    return Reach(not statements or "*" in found, frozenset(found), stars)


def allowed(role: Role, statements: Sequence[Statement]) -> frozenset[Action]:
    """What a user may do to anything at all."""
    if not statements:
        return GRANTS[role]
    return frozenset(action for action in GRANTS[role] if any(statement.names(action) for statement in statements))


def matches(pattern: str, name: str) -> bool:
    return pattern == name or ("*" in pattern and _fits(pattern.split("*"), name))


def _fits(parts: Sequence[str], name: str) -> bool:
    """Part by part, each where it first fits: a regular expression would try every way to share out a long name among stars."""
    first, *between, last = parts
    if not name.startswith(first):
        return False
    at = len(first)
    for part in between:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return name.endswith(last) and len(name) - len(last) >= at
