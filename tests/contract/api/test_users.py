"""Users, what they may do, and the keys made for them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.builders import mp4_settings
from tests.contract.api.service import Answer, Caller, Service, a_document


def allow(actions: str | list[str], *resources: str) -> dict[str, Any]:
    return {"actions": [actions] if isinstance(actions, str) else actions, "resources": list(resources)}


def at(cluster_id: str | None) -> dict[str, Any]:
    return {"placement": {"cluster_id": cluster_id}} if cluster_id else {}


@pytest.fixture
async def clusters(operator: Caller) -> None:
    for cluster_id in ("paris-1", "london-1"):
        await operator.post("/v1/clusters", {"id": cluster_id})


class TestPermissions:
    async def test_a_user_may_start_jobs_on_one_cluster_only(
        self, service: Service, tenant: Caller, pipeline: str, clusters: None
    ) -> None:
        user = await service.user(tenant, permissions=[allow(["jobs:start", "jobs:read"], "cluster/paris-1")])
        held = {
            cluster_id: await tenant.submit(pipeline, start="manual", **at(cluster_id))
            for cluster_id in ("paris-1", "london-1", None)
        }
        answers = {where: await user.post(f"/v1/jobs/{job_id}/start") for where, job_id in held.items()}
        assert answers["paris-1"].status == 200
        assert answers["london-1"].fault == answers[None].fault == (403, "forbidden", None)
        assert [await tenant.status(job_id) for job_id in held.values()] == ["Submitted"] * 3
        assert [job["id"] for job in (await user.get("/v1/jobs")).json["items"]] == [held["paris-1"]]
        assert (await user.post(f"/v1/jobs/{held['paris-1']}/cancel")).code == "forbidden"
        assert (await user.post("/v1/jobs/never/start")).code == "not_found"
        assert (await user.post("/v1/jobs/never/cancel")).code == "not_found"

    async def test_a_user_may_submit_to_one_cluster_only(
        self, service: Service, tenant: Caller, pipeline: str, clusters: None
    ) -> None:
        user = await service.user(tenant, permissions=[allow("jobs:create", "cluster/paris-*")])
        for cluster_id, status in (("paris-1", 201), ("london-1", 403), (None, 403)):
            assert (await user.post("/v1/jobs", a_document(pipeline, **at(cluster_id)))).status == status

    async def test_a_user_of_one_pipeline_sees_and_touches_nothing_else(
        self, service: Service, tenant: Caller, pipeline: str
    ) -> None:
        other = await tenant.pipeline()
        jobs = {name: await tenant.submit(name) for name in (pipeline, other)}
        mine = f"pipeline/{pipeline}"
        user = await service.user(tenant, permissions=[allow(["jobs:*", "pipelines:*"], mine)])
        assert (await user.get(f"/v1/jobs/{jobs[pipeline]}")).status == 200
        assert (await user.get(f"/v1/jobs/{jobs[other]}")).code == "forbidden"
        assert (await user.post("/v1/jobs", a_document(other))).code == "forbidden"
        assert (await user.post("/v1/jobs", a_document(pipeline))).status == 201
        assert (await user.post(f"/v1/pipelines/{other}/pause")).code == "forbidden"
        assert (await user.post(f"/v1/pipelines/{pipeline}/pause")).status == 200
        assert {job["pipeline_id"] for job in (await user.get("/v1/jobs")).json["items"]} == {pipeline}
        assert [one["id"] for one in (await user.get("/v1/pipelines")).json["items"]] == [pipeline]
        for path in ("/v1/presets", "/v1/buckets", "/v1/usage", "/v1/quotas", "/v1/users", "/v1/keys"):
            assert (await user.get(path)).code == "forbidden", path

    async def test_statements_add_up_and_never_exceed_the_role(self, service: Service, tenant: Caller) -> None:
        job_id = await tenant.submit(await tenant.pipeline())
        permissions = [allow("jobs:read", "*"), allow("*", "bucket/bucket"), allow("jobs:*", "job/never")]
        for role, may_upload in (("tenant_user", 201), ("read_only", 403)):
            user = await service.user(tenant, role=role, permissions=permissions)
            assert (await user.get(f"/v1/jobs/{job_id}")).status == 200
            assert (await user.post(f"/v1/jobs/{job_id}/stop")).code == "forbidden"
            assert (await user.get("/v1/buckets/bucket/objects")).status == 200
            assert (await user.post("/v1/buckets/bucket/uploads", {"key": "new"})).status == may_upload
            assert (await user.post("/v1/users", {"name": "x"})).code == "forbidden"

    async def test_a_user_of_one_pipeline_retries_what_failed_there_alone(
        self, service: Service, tenant: Caller, pipeline: str
    ) -> None:
        user = await service.user(tenant, permissions=[allow("jobs:retry", f"pipeline/{pipeline}")])
        wanted = {"failed_since": "2025-11-01T00:00:00Z"}
        assert (await user.post("/v1/jobs/retry", {**wanted, "pipeline_id": pipeline})).status == 200
        for other in ({}, {"pipeline_id": await tenant.pipeline()}):
            assert (await user.post("/v1/jobs/retry", {**wanted, **other})).code == "forbidden"

    async def test_a_narrowed_user_learns_nothing_of_other_tenants(self, service: Service, tenant: Caller) -> None:
        stranger = await service.tenant("stranger")
        theirs = await stranger.pipeline()
        user = await service.user(tenant, permissions=[allow("*", "bucket/mine")])
        for method, verb in (("GET", ""), ("DELETE", ""), ("POST", "/pause")):
            answers = [await user.call(method, f"/v1/pipelines/{one}{verb}") for one in (theirs, "never")]
            assert [answer.fault for answer in answers] == [(404, "not_found", None)] * 2
        documents = [a_document(one) for one in (theirs, "1763750000000-never0")]
        assert {(await user.post("/v1/jobs", document)).fault for document in documents} == {(403, "forbidden", None)}

    async def test_no_pipeline_leads_into_a_bucket_that_is_closed_to_its_maker(
        self, service: Service, tenant: Caller
    ) -> None:
        for name in ("open", "closed"):
            await tenant.post("/v1/buckets", {"name": name})
        permissions = [allow("pipelines:*", "*"), allow("*", "bucket/open")]
        user = await service.user(tenant, permissions=permissions)
        for name, status in (("open", 201), ("closed", 403), ("never", 403)):
            for field in ("input_bucket", "output_bucket", "thumbnail_bucket"):
                document = {"name": "p", "input_bucket": "open", "output_bucket": "open", field: name}
                made = await user.post("/v1/pipelines", document)
                assert made.status == status, (field, name)
        own = (await user.get("/v1/pipelines")).json["items"][0]["id"]
        changed = await user.call("PATCH", f"/v1/pipelines/{own}", {"input_bucket": "closed"})
        assert changed.code == "forbidden"

    async def test_presets_and_what_has_no_name_need_permission_too(self, service: Service, tenant: Caller) -> None:
        document = {"name": "p", "settings": mp4_settings()}
        preset_id = (await tenant.post("/v1/presets", document)).json["id"]
        user = await service.user(tenant, permissions=[allow("presets:*", f"preset/{preset_id}")])
        assert (await user.post("/v1/presets", document)).code == "forbidden"
        assert [one["id"] for one in (await user.get("/v1/presets?page_size=200")).json["items"]] == [preset_id]
        assert (await user.call("DELETE", f"/v1/presets/{preset_id}")).status == 204

    async def test_what_is_changed_holds_at_once_for_keys_made_before(self, service: Service, tenant: Caller) -> None:
        user = await service.user(tenant)
        path = f"/v1/users/{user.user_id}"
        assert (await user.post("/v1/buckets", {"name": "a"})).status == 201
        assert (await tenant.call("PATCH", path, {"role": "read_only"})).json["role"] == "read_only"
        assert (await user.post("/v1/buckets", {"name": "b"})).code == "forbidden"
        await tenant.call("PATCH", path, {"permissions": [allow("jobs:read", "*")]})
        assert (await user.get("/v1/buckets")).code == "forbidden"
        assert (await tenant.call("PATCH", path, {"role": "tenant_admin"})).fault == (
            400,
            "invalid_field",
            "/permissions",
        )
        await tenant.call("PATCH", path, {"role": "tenant_admin", "permissions": []})
        assert (await user.get("/v1/users")).status == 200

    async def test_a_new_name_never_undoes_what_takes_permissions_away(self, service: Service, tenant: Caller) -> None:
        user = await service.user(tenant)
        path = f"/v1/users/{user.user_id}"
        changes: list[dict[str, Any]] = [{"name": "new"}, {"permissions": [allow("jobs:read", "*")]}, {"name": "new"}]
        await asyncio.gather(*(tenant.call("PATCH", path, change) for change in changes))
        changed = (await tenant.get(path)).json
        assert (changed["name"], changed["permissions"]) == ("new", [allow("jobs:read", "*")])

    @pytest.mark.parametrize(
        ("permission", "pointer"),
        [
            (allow("jobs:fly", "*"), "/permissions/0/actions/0"),
            (allow("nodes:read", "*"), "/permissions/0/actions/0"),
            (allow("", "*"), "/permissions/0/actions/0"),
            (allow("jobs:*", "planet/mars"), "/permissions/0/resources/0"),
            (allow("jobs:*", "paris-1"), "/permissions/0/resources/0"),
            (allow("jobs:*"), "/permissions/0/resources"),
            ({"actions": ["jobs:*"]}, "/permissions/0/resources"),
            ({**allow("jobs:*", "*"), "effect": "deny"}, "/permissions/0/effect"),
        ],
    )
    async def test_permissions_that_mean_nothing_are_refused(
        self, tenant: Caller, permission: dict[str, Any], pointer: str
    ) -> None:
        answer = await tenant.post("/v1/users", {"name": "u", "permissions": [permission]})
        assert (answer.status, answer.json["pointer"]) == (400, pointer)

    async def test_a_user_has_so_many_patterns_as_may_be_gone_through_for_all_that_a_list_holds(
        self, tenant: Caller
    ) -> None:
        """Otherwise one call for a list would hold up everybody for seconds."""
        most = [allow("jobs:read", *(f"job/{number}-*" for number in range(49))) for _ in range(2)]
        for permissions, status in ((most, 201), ([*most, allow("jobs:stop", "*")], 400)):
            answer = await tenant.post("/v1/users", {"name": "u", "permissions": permissions})
            assert answer.status == status
        assert answer.json["pointer"] == "/permissions"

    async def test_lists_of_what_is_mostly_hidden_are_walked_to_their_end(
        self, service: Service, tenant: Caller, pipeline: str
    ) -> None:
        other = await tenant.pipeline()
        mine = [await tenant.submit(pipeline if at % 30 == 0 else other) for at in range(61)][::30]
        user = await service.user(tenant, permissions=[allow("jobs:read", f"pipeline/{pipeline}")])
        for size in (1, 2, 3, 50):
            found, token, pages = [], "", 0
            while token is not None and pages < 100:
                suffix = f"&page_token={token}" if token else ""
                page = (await user.get(f"/v1/jobs?ascending=true&page_size={size}{suffix}")).json
                assert len(page["items"]) <= size
                found += [job["id"] for job in page["items"]]
                token, pages = page["next_page_token"], pages + 1
            assert found == mine


class TestUsers:
    async def test_an_admin_makes_lists_changes_and_deletes_users(self, service: Service, tenant: Caller) -> None:
        made = (await tenant.post("/v1/users", {"name": "Ada"})).json
        assert (made["role"], made["permissions"], made["tenant_id"]) == ("tenant_user", [], tenant.tenant_id)
        assert (await tenant.get(f"/v1/users/{made['id']}")).json == made
        assert {one["name"] for one in (await tenant.get("/v1/users")).json["items"]} == {"default", "Ada"}
        renamed = await tenant.call("PATCH", f"/v1/users/{made['id']}", {"name": "Ada L."})
        assert renamed.json == {**made, "name": "Ada L."}
        assert (await tenant.call("DELETE", f"/v1/users/{made['id']}")).status == 204
        assert (await tenant.get(f"/v1/users/{made['id']}")).code == "not_found"

    async def test_the_keys_of_a_deleted_user_are_refused_at_once_and_no_longer_counted(
        self, service: Service, tenant: Caller
    ) -> None:
        before = (await tenant.get("/v1/quotas")).json["keys"]
        user = await service.user(tenant)
        assert (await user.get("/v1/jobs")).status == 200
        assert (await tenant.call("DELETE", f"/v1/users/{user.user_id}")).status == 204
        assert (await user.get("/v1/jobs")).code == "unauthenticated"
        assert (await tenant.get("/v1/quotas")).json["keys"] == before

    async def test_the_last_admin_stays(self, service: Service, tenant: Caller, operator: Caller) -> None:
        for caller, role in ((tenant, "tenant_admin"), (operator, "operator")):
            (first,) = (await caller.get("/v1/users")).json["items"]
            assert (await caller.call("DELETE", f"/v1/users/{first['id']}")).code == "in_use"
            second = await service.user(caller, role=role)
            assert (await second.call("DELETE", f"/v1/users/{first['id']}")).status == 204
            assert (await caller.get("/v1/users")).code == "unauthenticated"
            assert (await second.call("DELETE", f"/v1/users/{second.user_id}")).code == "in_use"
        admin = await service.tenant("other")
        await service.user(admin)
        (first,) = [one for one in (await admin.get("/v1/users")).json["items"] if one["role"] == "tenant_admin"]
        demoted = await admin.call("PATCH", f"/v1/users/{first['id']}", {"role": "read_only"})
        assert demoted.code == "in_use"

    @pytest.mark.parametrize("role", ["operator", "tenant", "root", ""])
    async def test_a_tenant_makes_no_operators(self, tenant: Caller, role: str) -> None:
        answer = await tenant.post("/v1/users", {"name": "u", "role": role})
        assert answer.fault == (400, "invalid_field", "/role")

    async def test_operators_are_all_alike(self, operator: Caller) -> None:
        assert (await operator.post("/v1/users", {"name": "o", "role": "tenant_user"})).json["pointer"] == "/role"
        narrowed = await operator.post("/v1/users", {"name": "o", "permissions": [allow("jobs:read", "*")]})
        assert narrowed.json["pointer"] == "/permissions"


class TestKeys:
    async def test_operators_list_and_revoke_their_own_keys(self, operator: Caller, tenant: Caller) -> None:
        made = (await operator.post("/v1/keys", {"label": "second"})).json
        second = Caller(operator.service, made["key"], None)
        assert (await second.get("/v1/tenants")).status == 200
        listed = {one["label"]: one["id"] for one in (await operator.get("/v1/keys")).json["items"]}
        assert listed["second"] == made["id"]
        assert len(listed) == 2
        assert (await operator.call("DELETE", f"/v1/keys/{made['id']}")).status == 204
        assert (await second.get("/v1/tenants")).code == "unauthenticated"
        theirs = (await tenant.post("/v1/keys", {})).json["id"]
        assert (await operator.call("DELETE", f"/v1/keys/{theirs}")).code == "not_found"
        assert (await tenant.call("DELETE", f"/v1/keys/{listed['test']}")).code == "not_found"

    async def test_keys_are_listed_by_user(self, service: Service, tenant: Caller) -> None:
        user = await service.user(tenant)
        (mine,) = (await tenant.get(f"/v1/keys?user_id={user.user_id}")).json["items"]
        assert mine["user_id"] == user.user_id
        assert len((await tenant.get("/v1/keys")).json["items"]) == 2

    async def test_no_key_is_made_for_another_tenants_user(self, service: Service, tenant: Caller) -> None:
        stranger = await service.tenant("stranger")
        user = await service.user(stranger)

        async def asked_for(user_id: str | None) -> Answer:
            return await tenant.post("/v1/keys", {"user_id": user_id})

        for user_id in (user.user_id, "us_never"):
            assert (await asked_for(user_id)).fault == (400, "invalid_field", "/user_id")

    async def test_an_operator_makes_a_key_for_any_user_of_a_tenant(
        self, service: Service, tenant: Caller, operator: Caller
    ) -> None:
        user = await service.user(tenant, role="read_only")
        path = f"/v1/tenants/{tenant.tenant_id}/keys"
        made = await operator.post(path, {"user_id": user.user_id})
        key = Caller(service, made.json["key"], tenant.tenant_id)
        assert (await key.get("/v1/jobs")).status == 200
        assert (await key.get("/v1/users")).code == "forbidden"
        stranger = await service.tenant("stranger")
        other = await service.user(stranger)
        assert (await operator.post(path, {"user_id": other.user_id})).fault == (400, "invalid_field", "/user_id")
