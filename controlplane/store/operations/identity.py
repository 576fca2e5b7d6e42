"""Who may speak: tenants, users, keys, nodes and the tokens that make nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import orjson

from controlplane.domain.permissions import Role
from controlplane.domain.quota import Quota
from controlplane.store.operations import quotas
from controlplane.store.port import Op, Row, call
from controlplane.store.records import ApiKey, KeyHolder, Node, NodeAtWork, Tenant, User, record, the_one
from shared.errors import AlreadyExists, InUse, NotFound, Unauthenticated
from shared.ids import ClusterId, KeyId, NodeId, TenantId, UserId
from shared.statuses import NodeState


def meta(key: str) -> Op[str | None]:
    rows = yield call("meta", key=key)
    return str(rows[0]["value"]) if rows else None


def set_meta(key: str, value: str) -> Op[None]:
    yield call("set_meta", key=key, value=value)


def keep_meta(key: str, value: str) -> Op[str]:
    """What is there, or was there before."""
    yield call("keep_meta", key=key, value=value)
    (row,) = yield call("meta", key=key)
    return str(row["value"])


def add_tenant(tenant_id: TenantId, name: str, weight: int, user_id: UserId, now: int) -> Op[Tenant]:
    """A tenant and its first user."""
    if not (yield call("insert_tenant", id=tenant_id, name=name, weight=weight, now=now)):
        if (yield call("tenant", id=tenant_id)):
            raise AlreadyExists(f"There is a tenant {tenant_id} already.", pointer="/id")
        raise AlreadyExists(f"There is a tenant named {name!r} already.", pointer="/name")
    yield from add_user(User(user_id, tenant_id, "default", Role.TENANT_ADMIN, "[]", now))
    yield from quotas.open_ledger(tenant_id)
    return (yield from tenant(tenant_id))


def add_operator(user_id: UserId, now: int) -> Op[None]:
    yield from add_user(User(user_id, None, "operator", Role.OPERATOR, "[]", now))


def tenant(tenant_id: TenantId) -> Op[Tenant]:
    return _tenant((yield call("tenant", id=tenant_id)))


def tenants(after: str, size: int) -> Op[list[Tenant]]:
    rows = yield call("tenants", after=after, size=size)
    return [record(Tenant, row) for row in rows]


def update_tenant(
    tenant_id: TenantId,
    *,
    name: str | None,
    weight: int | None,
    priority_ceiling: int | None = None,
    rates: Mapping[str, int | None],
) -> Op[Tenant]:
    """What is None stays; of the rates, those that are not named stay, and None goes back to the default."""
    before = yield from tenant(tenant_id)
    merged = {**orjson.loads(before.rates), **rates}
    rows = yield call(
        "update_tenant",
        id=tenant_id,
        name=name or before.name,
        weight=weight or before.weight,
        priority_ceiling=before.priority_ceiling if priority_ceiling is None else priority_ceiling,
        rates=orjson.dumps({str(operation): rate for operation, rate in merged.items() if rate is not None}).decode(),
    )
    if not rows:
        raise AlreadyExists(f"There is a tenant named {name!r} already.", pointer="/name")
    return record(Tenant, rows[0])


def suspend_tenant(tenant_id: TenantId, now: int) -> Op[Tenant]:
    """Again on a suspended one changes nothing."""
    return _tenant((yield call("suspend_tenant", id=tenant_id, now=now)))


def resume_tenant(tenant_id: TenantId) -> Op[Tenant]:
    """It may do as before, also where it was doubted."""
    return _tenant((yield call("resume_tenant", id=tenant_id)))


def first_admin(tenant_id: TenantId) -> Op[UserId]:
    rows = yield call("first_admin", tenant_id=tenant_id)
    if not rows:
        raise NotFound("tenant")
    return UserId(rows[0]["id"])


def add_user(new: User) -> Op[User]:
    yield call(
        "insert_user",
        id=new.id,
        tenant_id=new.tenant_id,
        name=new.name,
        role=new.role,
        permissions=new.permissions,
        now=new.created_at,
    )
    return new


def user(tenant_id: TenantId | None, user_id: UserId) -> Op[User]:
    """Of a tenant, or of the operators."""
    rows = yield call("user", id=user_id, tenant_id=tenant_id)
    return the_one(User, rows, "user")


def users(tenant_id: TenantId | None, after: str, size: int) -> Op[list[User]]:
    rows = yield call("users", tenant_id=tenant_id, after=after, size=size)
    return [record(User, row) for row in rows]


def update_user(tenant_id: TenantId | None, user_id: UserId, change: Callable[[User], User]) -> Op[User]:
    """`change` is told the user as it is in this transaction, so that no other change is undone.

    Raises InUse when nobody would be left who may let others in.
    """
    changed = change((yield from user(tenant_id, user_id)))
    yield call(
        "update_user",
        id=user_id,
        tenant_id=tenant_id,
        name=changed.name,
        role=changed.role,
        permissions=changed.permissions,
    )
    yield from _check_manager(tenant_id)
    return changed


def delete_user(tenant_id: TenantId | None, user_id: UserId) -> Op[None]:
    """With all its keys. Raises InUse when nobody would be left who may let others in."""
    yield from user(tenant_id, user_id)
    gone = yield call("delete_keys_of_user", user_id=user_id)
    if tenant_id is not None:
        yield from quotas.give_back(tenant_id, Quota.KEYS, sum(key["revoked_at"] is None for key in gone))
    yield call("delete_user_limits", user_id=user_id)
    yield call("delete_user", id=user_id, tenant_id=tenant_id)
    yield from _check_manager(tenant_id)


def _check_manager(tenant_id: TenantId | None) -> Op[None]:
    if not (yield call("has_manager", tenant_id=tenant_id)):
        raise InUse("This is the last user that may manage users.")


def add_key(
    key_id: KeyId,
    *,
    user_id: UserId,
    tenant_id: TenantId | None,
    label: str,
    secret_hash: str | None = None,
    sealed_secret: str | None = None,
    expires_at: int | None,
    now: int,
) -> Op[ApiKey]:
    """With one of the two forms of a secret. Raises QuotaExceeded."""
    if tenant_id is not None:
        yield from quotas.take(tenant_id, Quota.KEYS)
    yield call(
        "insert_key",
        id=key_id,
        user_id=user_id,
        tenant_id=tenant_id,
        label=label,
        secret_hash=secret_hash,
        sealed_secret=sealed_secret,
        expires_at=expires_at,
        now=now,
    )
    return ApiKey(key_id, user_id, label, sealed_secret, now, expires_at, None)


def key_holder(key_id: KeyId) -> Op[KeyHolder | None]:
    rows = yield call("key_holder", id=key_id)
    return record(KeyHolder, rows[0]) if rows else None


def admin_holder(tenant_id: TenantId) -> Op[KeyHolder]:
    """A tenant's first admin, as if with a key. Raises NotFound."""
    rows = yield call("admin_holder", tenant_id=tenant_id)
    return the_one(KeyHolder, rows, "tenant")


def key(tenant_id: TenantId | None, key_id: KeyId) -> Op[ApiKey]:
    rows = yield call("key", id=key_id, tenant_id=tenant_id)
    return the_one(ApiKey, rows, "key")


def keys(tenant_id: TenantId | None, user_id: UserId | None, after: str, size: int) -> Op[list[ApiKey]]:
    rows = yield call("keys", tenant_id=tenant_id, user_id=user_id, after=after, size=size)
    return [record(ApiKey, row) for row in rows]


def revoke_key(tenant_id: TenantId | None, key_id: KeyId, now: int) -> Op[None]:
    if not (yield call("revoke_key", id=key_id, tenant_id=tenant_id, now=now)):
        raise NotFound("key")
    if tenant_id is not None:
        yield from quotas.give_back(tenant_id, Quota.KEYS)


def add_join_token(secret_hash: str, cluster_id: ClusterId, labels: str, *, now: int, expires_at: int) -> Op[None]:
    if not (yield call("cluster", id=cluster_id)):
        raise NotFound("cluster")
    yield call(
        "insert_join_token",
        secret_hash=secret_hash,
        cluster_id=cluster_id,
        labels=labels,
        now=now,
        expires_at=expires_at,
    )


def enrol(token_hash: str, node_id: NodeId, name: str, credential_hash: str, now: int) -> Op[ClusterId]:
    """Spends a join token for a node. Raises Unauthenticated when it is unknown, spent or too old."""
    rows = yield call("use_join_token", secret_hash=token_hash, now=now)
    if not rows:
        raise Unauthenticated("This join token is unknown, used or expired; make a new one.")
    cluster_id = ClusterId(rows[0]["cluster_id"])
    yield call(
        "insert_node",
        id=node_id,
        cluster_id=cluster_id,
        name=name,
        credential_hash=credential_hash,
        labels=rows[0]["labels"],
        now=now,
    )
    return cluster_id


def nodes(cluster_id: ClusterId | None, after: str, size: int) -> Op[list[NodeAtWork]]:
    if cluster_id is None:
        rows = yield call("nodes", after=after, size=size)
    else:
        rows = yield call("nodes_of_cluster", cluster_id=cluster_id, after=after, size=size)
    return [record(NodeAtWork, row) for row in rows]


def node_at_work(node_id: NodeId) -> Op[NodeAtWork]:
    rows = yield call("node_at_work", id=node_id)
    return the_one(NodeAtWork, rows, "node")


def describe_node(node_id: NodeId, *, name: str | None, labels: Mapping[str, str | None]) -> Op[None]:
    """Changes what is given; a label that is None is taken off."""
    known = yield from node_at_work(node_id)
    worn = {**orjson.loads(known.labels), **labels}
    kept = {key: value for key, value in worn.items() if value is not None}
    text = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()
    if not (yield call("describe_node", id=node_id, name=known.name if name is None else name, labels=text)):
        raise NotFound("node")


def ask_to_reprobe(node_id: NodeId, now: int) -> Op[None]:
    if not (yield call("ask_to_reprobe", id=node_id, now=now)):
        raise NotFound("node")


def set_node_state(node_id: NodeId, state: NodeState) -> Op[Node]:
    """Raises NotFound for a revoked node too: nothing brings it back."""
    rows = yield call("set_node_state", id=node_id, state=state)
    return the_one(Node, rows, "node")


def count_nodes() -> Op[int]:
    (row,) = yield call("count_nodes")
    return int(row["nodes"])


def _tenant(rows: Sequence[Row]) -> Tenant:
    return the_one(Tenant, rows, "tenant")
