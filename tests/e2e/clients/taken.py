"""Requests that say as much as they can and are taken, one for each way of saying it: what a fuzzer changes them from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.contract.dialects.elastictranscoder.test_job_fields import FRAGMENTS, JOB, LICENSED
from tests.contract.dialects.elastictranscoder.test_preset_fields import AUDIO, PICTURES, VIDEO
from tests.e2e.clients.boto3_client import ROLE
from tests.e2e.clients.boto3_story import CAPTIONS

TOPIC = "arn:aws:sns:us-east-1:123456789012:films"
NAMED = {"Name": "a", "InputBucket": "films-in", "Role": ROLE}
PERMISSION = {"GranteeType": "Group", "Grantee": "AllUsers", "Access": ["Read", "ReadAcp"]}
TOPICS = {"Progressing": TOPIC, "Completed": "", "Warning": "", "Error": TOPIC}
CONFIGS = {
    "ContentConfig": {"Bucket": "films-out", "StorageClass": "ReducedRedundancy", "Permissions": [PERMISSION]},
    "ThumbnailConfig": {"Bucket": "films-out", "StorageClass": "Standard", "Permissions": []},
}
PCM = {"BitDepth": "16", "Signed": "Signed", "BitOrder": "LittleEndian"}
ALONE = {
    "Input": {"Key": "in.mp4", "TimeSpan": {"StartTime": "1", "Duration": "2.5"}, "InputCaptions": CAPTIONS},
    "Output": {"Key": "out.mp4", "PresetId": "1351620000001-000010", "ThumbnailPattern": "{count}", "Rotate": "0"},
}


def taken(pipeline: str) -> Mapping[str, Sequence[dict[str, Any]]]:
    """By operation; on a pipeline that is paused."""
    licensed = {"Inputs": [{"Key": "in.mp4"}], "Outputs": [FRAGMENTS], "Playlists": [LICENSED]}
    preset = {"Name": "a", "Description": "of ours"}
    return {
        "CreateJob": [{"PipelineId": pipeline, **job} for job in (JOB, licensed, ALONE)],
        "CreatePipeline": [
            {**NAMED, "OutputBucket": "films-out", "Notifications": TOPICS},
            {**NAMED, "AwsKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1", **CONFIGS},
        ],
        "CreatePreset": [
            {**preset, "Container": "mp4", "Video": VIDEO, "Audio": AUDIO, "Thumbnails": PICTURES},
            {**preset, "Container": "wav", "Audio": {"Codec": "pcm", "SampleRate": "48000", "CodecOptions": PCM}},
            {**preset, "Container": "webm", "Video": {**VIDEO, "Codec": "vp9", "CodecOptions": {"Profile": "0"}}},
        ],
        "TestRole": [{"Role": ROLE, "InputBucket": "films-in", "OutputBucket": "films-out", "Topics": [TOPIC]}],
        "UpdatePipeline": [{"Id": pipeline, **NAMED, "Notifications": TOPICS, **CONFIGS}],
        "UpdatePipelineNotifications": [{"Id": pipeline, "Notifications": TOPICS}],
        "UpdatePipelineStatus": [{"Id": pipeline, "Status": "Paused"}],
    }
