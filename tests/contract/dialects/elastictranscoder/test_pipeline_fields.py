"""Every field of pipelines, as the vendor's model has them."""

from __future__ import annotations

from typing import Final

from controlplane.commands.migration.comparing import differences
from tests.compatibility import answers
from tests.contract.dialects.elastictranscoder.client import ROLE
from tests.contract.dialects.elastictranscoder.wire import Wire

TOPIC: Final = "arn:aws:sns:us-east-1:123456789012:films"


@answers(
    "CreatePipelineRequest.*",
    "CreatePipelineResponse.Pipeline",
    "Pipeline.*",
    "ReadPipelineRequest.*",
    "ReadPipelineResponse.Pipeline",
    "Notifications.*",
    "PipelineOutputConfig.*",
    "Permission.*",
)
async def test_a_pipeline_is_answered_as_it_was_asked_for(wire: Wire) -> None:
    await wire.buckets("films-in", "films-out", "pictures")
    plain = {"Name": "plain", "InputBucket": "films-in", "OutputBucket": "films-out", "Role": ROLE}
    made = (await wire.call("CreatePipeline", **plain))["Pipeline"]
    assert differences(plain, made) == []
    assert made["ContentConfig"]["Bucket"] == made["ThumbnailConfig"]["Bucket"] == "films-out"
    permission = {"GranteeType": "Group", "Grantee": "AllUsers", "Access": ["Read", "ReadAcp"]}
    whole = {
        "Name": "whole",
        "InputBucket": "films-in",
        "Role": ROLE,
        "AwsKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1",
        "Notifications": {"Progressing": TOPIC, "Completed": TOPIC, "Warning": "", "Error": TOPIC},
        "ContentConfig": {"Bucket": "films-out", "StorageClass": "ReducedRedundancy", "Permissions": [permission]},
        "ThumbnailConfig": {"Bucket": "pictures", "StorageClass": "Standard", "Permissions": []},
    }
    made = (await wire.call("CreatePipeline", **whole))["Pipeline"]
    assert differences(whole, made) == []
    assert made["Status"] == "Active"
    assert (await wire.call("ReadPipeline", Id=made["Id"]))["Pipeline"] == made


@answers(
    "UpdatePipelineRequest.*",
    "UpdatePipelineResponse.Pipeline",
    "UpdatePipelineNotificationsRequest.*",
    "UpdatePipelineNotificationsResponse.*",
    "UpdatePipelineStatusRequest.*",
    "UpdatePipelineStatusResponse.*",
)
async def test_a_pipeline_is_changed_in_what_is_named(wire: Wire, pipeline: str) -> None:
    await wire.buckets("films-in", "films-out")
    wanted = {
        "Name": "another",
        "InputBucket": "films-in",
        "Role": f"{ROLE}2",
        "AwsKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/2",
        "Notifications": {"Progressing": TOPIC, "Completed": "", "Warning": TOPIC, "Error": ""},
        "ContentConfig": {"Bucket": "films-out", "StorageClass": "Standard", "Permissions": []},
        "ThumbnailConfig": {"Bucket": "films-out", "StorageClass": "ReducedRedundancy", "Permissions": []},
    }
    changed = (await wire.call("UpdatePipeline", Id=pipeline, **wanted))["Pipeline"]
    assert differences(wanted, changed) == []
    topics = {"Progressing": "", "Completed": TOPIC, "Warning": "", "Error": TOPIC}
    told = (await wire.call("UpdatePipelineNotifications", Id=pipeline, Notifications=topics))["Pipeline"]
    assert told == {**changed, "Notifications": topics}
    paused = (await wire.call("UpdatePipelineStatus", Id=pipeline, Status="Paused"))["Pipeline"]
    assert paused == {**told, "Status": "Paused"}


@answers(
    "CreatePipelineResponse.Warnings",
    "ReadPipelineResponse.Warnings",
    "UpdatePipelineResponse.Warnings",
    "Warning.Code",
    "Warning.Message",
)
async def test_a_topic_that_reaches_nobody_is_warned_of(wire: Wire) -> None:
    """The service warned of what lay in another region."""
    await wire.buckets("films-in")
    wanted = {"Name": "p", "InputBucket": "films-in", "OutputBucket": "films-in", "Role": ROLE}
    made = await wire.call("CreatePipeline", **wanted)
    assert made["Warnings"] == []
    changed = await wire.call("UpdatePipeline", Id=made["Pipeline"]["Id"], Notifications={"Error": TOPIC})
    read = await wire.call("ReadPipeline", Id=made["Pipeline"]["Id"])
    [warning] = changed["Warnings"]
    assert TOPIC in warning["Message"]
    assert read["Warnings"] == [warning]


@answers("TestRoleRequest.*", "TestRoleResponse.*")
async def test_a_role_is_as_good_as_its_buckets(wire: Wire) -> None:
    await wire.buckets("films-in")
    good = await wire.call("TestRole", Role=ROLE, InputBucket="films-in", OutputBucket="films-in", Topics=[])
    assert good == {"Success": "true", "Messages": []}
    bad = await wire.call("TestRole", Role=ROLE, InputBucket="films-in", OutputBucket="nowhere", Topics=[])
    assert bad["Success"] == "false"
    assert "nowhere" in bad["Messages"][0]
