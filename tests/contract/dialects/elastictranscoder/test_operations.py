"""All operations: under which names, who may call them, what is counted and what is written down of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from controlplane.dialects.elastictranscoder import OPERATIONS, PREFIX
from controlplane.domain.permissions import GRANTS, Role
from tests.contract.api.service import Answer, Caller, Service
from tests.contract.dialects.elastictranscoder.client import ROLE, Client, told
from tests.contract.dialects.elastictranscoder.test_presets import MINE

PUBLISHED: Final = {
    "CancelJob": ("DELETE", "jobs/{Id}", 202),
    "CreateJob": ("POST", "jobs", 201),
    "CreatePipeline": ("POST", "pipelines", 201),
    "CreatePreset": ("POST", "presets", 201),
    "DeletePipeline": ("DELETE", "pipelines/{Id}", 202),
    "DeletePreset": ("DELETE", "presets/{Id}", 202),
    "ListJobsByPipeline": ("GET", "jobsByPipeline/{PipelineId}", 200),
    "ListJobsByStatus": ("GET", "jobsByStatus/{Status}", 200),
    "ListPipelines": ("GET", "pipelines", 200),
    "ListPresets": ("GET", "presets", 200),
    "ReadJob": ("GET", "jobs/{Id}", 200),
    "ReadPipeline": ("GET", "pipelines/{Id}", 200),
    "ReadPreset": ("GET", "presets/{Id}", 200),
    "TestRole": ("POST", "roleTests", 200),
    "UpdatePipeline": ("PUT", "pipelines/{Id}", 200),
    "UpdatePipelineNotifications": ("POST", "pipelines/{Id}/notifications", 200),
    "UpdatePipelineStatus": ("POST", "pipelines/{Id}/status", 200),
}
BY_NAME: Final = {operation.name: operation for operation in OPERATIONS}
BUCKETS: Final = {"InputBucket": "bucket", "OutputBucket": "bucket", "Role": ROLE}
TENANTS_ROLES: Final = (Role.TENANT_ADMIN, Role.TENANT_USER, Role.READ_ONLY)

Things = Mapping[str, str]
"""What an admin has made: ids of a pipeline, a preset and a job."""
BODIES: Final[Mapping[str, Callable[[Things], dict[str, Any]]]] = {
    "CreateJob": lambda made: {
        "PipelineId": made["pipelines"],
        "Input": {"Key": "in.mp4"},
        "Output": {"Key": "other.mp4", "PresetId": "1351620000001-000010"},
    },
    "CreatePipeline": lambda _: {"Name": "other", **BUCKETS},
    "CreatePreset": lambda _: MINE,
    "TestRole": lambda _: {**BUCKETS, "Topics": []},
    "UpdatePipeline": lambda _: {"Name": "renamed"},
    "UpdatePipelineNotifications": lambda _: {"Notifications": {}},
    "UpdatePipelineStatus": lambda _: {"Status": "Paused"},
}


async def called(client: Client, name: str, made: Things) -> Answer:
    method, path, _ = PUBLISHED[name]
    noun = path.partition("/")[0]
    filled = path.format(Id=made.get(noun), PipelineId=made["pipelines"], Status="Submitted")
    body = BODIES[name](made) if name in BODIES else None
    return await client.call(method, f"/{filled}", body)


@pytest.fixture
async def things(client: Client, pipeline: str) -> dict[str, str]:
    preset = (await client.post("/presets", MINE)).json["Preset"]["Id"]
    return {"pipelines": pipeline, "presets": preset, "jobs": await client.caller.submit(pipeline)}


def test_all_seventeen_have_the_names_paths_and_statuses_that_were_published() -> None:
    found = {one.name: (one.method, one.path.removeprefix(PREFIX), one.status) for one in OPERATIONS}
    assert found == PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
async def test_whoever_may_do_it_natively_may_do_it_here_and_nobody_else(
    service: Service, tenant: Caller, things: Things, name: str
) -> None:
    operation = BY_NAME[name]
    if name == "DeletePipeline":
        await tenant.post(f"/v1/jobs/{things['jobs']}/cancel")
    for role in TENANTS_ROLES[::-1]:
        user = await service.user(tenant, name=role, role=role)
        client = await Client.of(tenant, user_id=user.user_id)
        answer = await called(client, name, things)
        if operation.permission in GRANTS[role]:
            assert answer.status == operation.status, (role, answer.content)
            return
        assert told(answer)[:2] == (403, "AccessDeniedException"), role


@pytest.mark.parametrize("name", PUBLISHED)
async def test_statements_narrow_whom_they_name_here_too(
    service: Service, tenant: Caller, things: Things, name: str
) -> None:
    elsewhere = {"actions": ["*"], "resources": ["pipeline/1111111111111-abcdef"]}
    user = await service.user(tenant, role="tenant_user", permissions=[elsewhere])
    client = await Client.of(tenant, user_id=user.user_id)
    answer = await called(client, name, things)
    if BY_NAME[name].is_list:
        (listed,) = (value for member, value in answer.json.items() if member != "NextPageToken")
        assert answer.status == 200
        assert listed == []
    elif name == "TestRole":
        assert answer.json["Success"] == "false"
    else:
        assert told(answer)[:2] == (403, "AccessDeniedException"), answer.content


@pytest.mark.parametrize("name", PUBLISHED)
async def test_what_changes_something_is_written_down_once_and_nothing_else_is(
    client: Client, things: Things, name: str
) -> None:
    if name == "DeletePipeline":
        await client.caller.post(f"/v1/jobs/{things['jobs']}/cancel")
    answer = await called(client, name, things)
    assert answer.status == BY_NAME[name].status, answer.content
    log = (await client.caller.get("/v1/audit")).json["items"]
    rows = [row for row in log if row["request_id"] == answer.headers["x-amzn-RequestId"]]
    assert len(rows) == (1 if BY_NAME[name].changes else 0)
    for row in rows:
        assert row["action"] == f"elastictranscoder:{name}"


@pytest.mark.parametrize("name", [name for name, (_, path, _) in PUBLISHED.items() if "{Id}" in path])
async def test_anothers_things_are_not_there(service: Service, things: Things, name: str) -> None:
    stranger = await Client.of(await service.tenant("stranger"))
    assert told(await called(stranger, name, things))[:2] == (404, "ResourceNotFoundException")


async def test_suspended_tenants_and_operators_are_kept_out_of_all_of_it(
    service: Service, client: Client, things: Things
) -> None:
    operator = await service.operator()
    assert (await operator.post(f"/v1/tenants/{client.caller.tenant_id}/suspend")).status == 200
    for name in PUBLISHED:
        assert told(await called(client, name, things))[:2] == (403, "AccessDeniedException")
        method, path, _ = PUBLISHED[name]
        filled = path.format(Id=things["pipelines"], PipelineId=things["pipelines"], Status="Submitted")
        answer = await operator.call(method, f"{PREFIX}{filled}")
        assert told(answer)[:2] == (403, "AccessDeniedException")
