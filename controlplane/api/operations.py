"""/v1/tenants, clusters, nodes: what operators run."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from controlplane.api import views
from controlplane.api.jobs import retried
from controlplane.api.paging import page
from controlplane.api.requests import (
    ClusterChanges,
    EventsQuery,
    NewCluster,
    NewJoinToken,
    NewKey,
    NewTenant,
    NodeChanges,
    NodesQuery,
    PageQuery,
    RetryOfFailed,
    TenantChanges,
)
from controlplane.api.routing import Reply, Routes
from controlplane.api.users import made_key
from controlplane.domain.permissions import Action
from controlplane.http.calls import Call
from controlplane.http.keys import CLUSTERS, TENANTS, USERS
from shared.clock import to_datetime
from shared.ids import ClusterId, NodeId, TenantId

tenants: Final = Routes("tenants")
clusters: Final = Routes("clusters")
nodes: Final = Routes("nodes")


@tenants.add(
    "POST",
    "/v1/tenants",
    permission=Action.TENANTS_CREATE,
    summary="Make a tenant",
    body=NewTenant,
    answer=views.TenantView,
    status=201,
)
async def create_tenant(call: Call[NewTenant]) -> Reply:
    made = await call.request.app[TENANTS].create(call.body.name, call.body.weight, call.body.id)
    return Reply(views.tenant(made), status=201)


@tenants.add(
    "GET",
    "/v1/tenants",
    permission=Action.TENANTS_READ,
    summary="List tenants",
    query=PageQuery,
    answer=views.Page[views.TenantView],
)
async def list_tenants(call: Call[None]) -> Reply:
    return Reply(await page(call, ["tenants"], call.request.app[TENANTS].page, lambda found: found.id, views.tenant))


@tenants.add(
    "GET", "/v1/tenants/{tenant_id}", permission=Action.TENANTS_READ, summary="Read a tenant", answer=views.TenantView
)
async def read_tenant(call: Call[None]) -> Reply:
    return Reply(views.tenant(await call.request.app[TENANTS].get(_tenant_id(call))))


@tenants.add(
    "PATCH",
    "/v1/tenants/{tenant_id}",
    permission=Action.TENANTS_UPDATE,
    summary="Change a tenant's name, its share, or how often its users may call",
    body=TenantChanges,
    answer=views.TenantView,
)
async def update_tenant(call: Call[TenantChanges]) -> Reply:
    return Reply(views.tenant(await call.request.app[TENANTS].update(_tenant_id(call), **dict(call.body))))


@tenants.add(
    "POST",
    "/v1/tenants/{tenant_id}/suspend",
    permission=Action.TENANTS_SUSPEND,
    summary="Let none of a tenant's keys in and start none of its jobs; what runs goes on",
    answer=views.TenantView,
)
async def suspend_tenant(call: Call[None]) -> Reply:
    return Reply(views.tenant(await call.request.app[TENANTS].suspend(_tenant_id(call))))


@tenants.add(
    "POST",
    "/v1/tenants/{tenant_id}/resume",
    permission=Action.TENANTS_RESUME,
    summary="Let a suspended tenant in again, and start its jobs",
    answer=views.TenantView,
)
async def resume_tenant(call: Call[None]) -> Reply:
    return Reply(views.tenant(await call.request.app[TENANTS].resume(_tenant_id(call))))


@tenants.add(
    "POST",
    "/v1/tenants/{tenant_id}/jobs/retry",
    permission=Action.TENANTS_UPDATE,
    summary="Retry every job of a tenant that failed in a time and was not retried yet",
    body=RetryOfFailed,
    answer=views.RetriesView,
)
async def retry_failed_of_tenant(call: Call[RetryOfFailed]) -> Reply:
    tenant = await call.request.app[TENANTS].get(_tenant_id(call))
    return Reply(await retried(call, tenant.id))


@tenants.add(
    "GET",
    "/v1/tenants/{tenant_id}/users",
    permission=Action.TENANTS_READ,
    summary="List a tenant's users",
    query=PageQuery,
    answer=views.Page[views.UserView],
)
async def list_users_of_tenant(call: Call[None]) -> Reply:
    tenant = await call.request.app[TENANTS].get(_tenant_id(call))
    find = partial(call.request.app[USERS].page, tenant.id)
    return Reply(await page(call, ["users of", tenant.id], find, lambda found: found.id, views.user))


@tenants.add(
    "POST",
    "/v1/tenants/{tenant_id}/keys",
    permission=Action.TENANTS_UPDATE,
    summary="Make an API key for a tenant",
    body=NewKey,
    answer=views.NewKeyView,
    status=201,
)
async def create_tenant_key(call: Call[NewKey]) -> Reply:
    service, tenant_id = call.request.app[TENANTS], _tenant_id(call)
    user_id = call.body.user_id or await service.first_admin(tenant_id)
    return await made_key(call, tenant_id, user_id)


@clusters.add(
    "POST",
    "/v1/clusters",
    permission=Action.CLUSTERS_CREATE,
    summary="Make a cluster",
    body=NewCluster,
    answer=views.ClusterView,
    status=201,
)
async def create_cluster(call: Call[NewCluster]) -> Reply:
    made = await call.request.app[CLUSTERS].create(ClusterId(call.body.id), call.body.name)
    return Reply(views.cluster(made), status=201)


@clusters.add(
    "GET",
    "/v1/clusters",
    permission=Action.CLUSTERS_READ,
    summary="List clusters",
    query=PageQuery,
    answer=views.Page[views.ClusterView],
)
async def list_clusters(call: Call[None]) -> Reply:
    return Reply(await page(call, ["clusters"], call.request.app[CLUSTERS].page, lambda found: found.id, views.cluster))


@clusters.add(
    "GET",
    "/v1/clusters/{cluster_id}",
    permission=Action.CLUSTERS_READ,
    summary="Read a cluster",
    answer=views.ClusterView,
)
async def read_cluster(call: Call[None]) -> Reply:
    return Reply(views.cluster(await call.request.app[CLUSTERS].get(_cluster_id(call))))


@clusters.add(
    "PATCH",
    "/v1/clusters/{cluster_id}",
    permission=Action.CLUSTERS_UPDATE,
    summary="Rename a cluster",
    body=ClusterChanges,
    answer=views.ClusterView,
)
async def rename_cluster(call: Call[ClusterChanges]) -> Reply:
    return Reply(views.cluster(await call.request.app[CLUSTERS].rename(_cluster_id(call), call.body.name)))


@clusters.add(
    "DELETE",
    "/v1/clusters/{cluster_id}",
    permission=Action.CLUSTERS_DELETE,
    summary="Delete an empty cluster",
    status=204,
)
async def delete_cluster(call: Call[None]) -> Reply:
    await call.request.app[CLUSTERS].delete(_cluster_id(call))
    return Reply()


@clusters.add(
    "POST",
    "/v1/clusters/{cluster_id}/pause",
    permission=Action.CLUSTERS_PAUSE,
    summary="Start nothing new in a cluster; what runs goes on",
    answer=views.ClusterView,
)
async def pause_cluster(call: Call[None]) -> Reply:
    return Reply(views.cluster(await call.request.app[CLUSTERS].pause(_cluster_id(call))))


@clusters.add(
    "POST",
    "/v1/clusters/{cluster_id}/resume",
    permission=Action.CLUSTERS_RESUME,
    summary="Start work in a cluster again",
    answer=views.ClusterView,
)
async def resume_cluster(call: Call[None]) -> Reply:
    return Reply(views.cluster(await call.request.app[CLUSTERS].unpause(_cluster_id(call))))


@clusters.add(
    "POST",
    "/v1/clusters/{cluster_id}/join-tokens",
    permission=Action.NODES_CREATE,
    summary="A one-time token with which a node joins",
    body=NewJoinToken,
    answer=views.JoinTokenView,
    status=201,
)
async def create_join_token(call: Call[NewJoinToken]) -> Reply:
    cluster_id = _cluster_id(call)
    service = call.request.app[CLUSTERS]
    token, expires_at = await service.join_token(cluster_id, call.body.labels, call.body.expires_in)
    view = views.JoinTokenView(token=token, cluster_id=cluster_id, expires_at=to_datetime(expires_at))
    return Reply(view, status=201)


@nodes.add(
    "GET",
    "/v1/nodes",
    permission=Action.NODES_READ,
    summary="List nodes",
    query=NodesQuery,
    answer=views.Page[views.NodeView],
)
async def list_nodes(call: Call[None]) -> Reply:
    cluster_id = ClusterId(call.query.cluster_id) if call.query.cluster_id else None
    find = partial(call.request.app[CLUSTERS].nodes, cluster_id)
    return Reply(await page(call, ["nodes", cluster_id or ""], find, lambda found: found.id, views.node))


@nodes.add("GET", "/v1/nodes/{node_id}", permission=Action.NODES_READ, summary="Read a node", answer=views.NodeView)
async def read_node(call: Call[None]) -> Reply:
    return Reply(views.node(await call.request.app[CLUSTERS].node(_node_id(call))))


@nodes.add(
    "GET",
    "/v1/nodes/{node_id}/events",
    permission=Action.NODES_READ,
    summary="What happened to a node: starts, faults, when it was set aside or trusted again, clones",
    query=EventsQuery,
    answer=views.Page[views.EventView],
)
async def node_events(call: Call[None]) -> Reply:
    history = await call.request.app[CLUSTERS].node_history(_node_id(call), call.query.after)
    return Reply(views.Page[views.EventView](items=[views.event(event) for event in history]))


@nodes.add(
    "PATCH",
    "/v1/nodes/{node_id}",
    permission=Action.NODES_UPDATE,
    summary="Rename a node, put labels on it, or take them off with null",
    body=NodeChanges,
    answer=views.NodeView,
)
async def describe_node(call: Call[NodeChanges]) -> Reply:
    service = call.request.app[CLUSTERS]
    return Reply(views.node(await service.describe(_node_id(call), call.body.name, call.body.labels)))


@nodes.add(
    "POST",
    "/v1/nodes/{node_id}/drain",
    permission=Action.NODES_DRAIN,
    summary="Give a node no new work; it is Drained once nothing runs on it",
    answer=views.NodeView,
)
async def drain_node(call: Call[None]) -> Reply:
    return Reply(views.node(await call.request.app[CLUSTERS].drain(_node_id(call))))


@nodes.add(
    "POST",
    "/v1/nodes/{node_id}/resume",
    permission=Action.NODES_RESUME,
    summary="Give a node work again, also one that was set aside or found to be cloned",
    answer=views.NodeView,
)
async def resume_node(call: Call[None]) -> Reply:
    return Reply(views.node(await call.request.app[CLUSTERS].vouch_for(_node_id(call))))


@nodes.add(
    "POST",
    "/v1/nodes/{node_id}/reprobe",
    permission=Action.NODES_REPROBE,
    summary="Have a node find out anew what it can do, once nothing runs on it",
    answer=views.NodeView,
    status=202,
)
async def reprobe_node(call: Call[None]) -> Reply:
    return Reply(views.node(await call.request.app[CLUSTERS].reprobe(_node_id(call))), status=202)


@nodes.add(
    "DELETE",
    "/v1/nodes/{node_id}",
    permission=Action.NODES_DELETE,
    summary="Revoke a node's credential, for good; what it runs is given to others",
    status=204,
)
async def revoke_node(call: Call[None]) -> Reply:
    await call.request.app[CLUSTERS].revoke(_node_id(call))
    return Reply()


def _tenant_id(call: Call[Any]) -> TenantId:
    return TenantId(call.path("tenant_id"))


def _cluster_id(call: Call[Any]) -> ClusterId:
    return ClusterId(call.path("cluster_id"))


def _node_id(call: Call[Any]) -> NodeId:
    return NodeId(call.path("node_id"))
