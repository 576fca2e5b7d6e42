"""What was saved of Elastic Transcoder is read, in every form in which people have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controlplane.commands.migration.saved import Unreadable, buckets, read, wanted_pipeline, wanted_preset

PIPELINE = {
    "Id": "1111111111111-abcde1",
    "Arn": "arn:aws:elastictranscoder:us-east-1:123456789012:pipeline/1111111111111-abcde1",
    "Name": "films",
    "Status": "Active",
    "InputBucket": "in",
    "OutputBucket": "out",
    "Role": "arn:aws:iam::123456789012:role/Elastic_Transcoder_Default_Role",
    "AwsKmsKeyArn": None,
    "Notifications": {"Progressing": "", "Completed": "", "Warning": "", "Error": ""},
    "ContentConfig": {"Bucket": "out", "StorageClass": "Standard", "Permissions": []},
    "ThumbnailConfig": {"Bucket": "out", "StorageClass": "Standard", "Permissions": []},
}
PRESET = {
    "Id": "2222222222222-abcde2",
    "Arn": "arn:…",
    "Name": "web",
    "Container": "mp4",
    "Type": "Custom",
    "Video": None,
}

STATE: dict[str, Any] = {
    "version": 4,
    "terraform_version": "1.5.7",
    "resources": [
        {
            "mode": "managed",
            "type": "aws_elastictranscoder_pipeline",
            "name": "films",
            "instances": [
                {
                    "attributes": {
                        "id": "1111111111111-abcde1",
                        "arn": PIPELINE["Arn"],
                        "region": "us-east-1",
                        "name": "films",
                        "input_bucket": "in",
                        "output_bucket": "",
                        "aws_kms_key_arn": "",
                        "role": PIPELINE["Role"],
                        "content_config": [{"bucket": "out", "storage_class": "ReducedRedundancy"}],
                        "content_config_permissions": [
                            {"grantee": "AllUsers", "grantee_type": "Group", "access": ["Read"]}
                        ],
                        "thumbnail_config": [{"bucket": "thumbs", "storage_class": "Standard"}],
                        "thumbnail_config_permissions": [],
                        "notifications": [{"completed": "arn:aws:sns:us-east-1:1:done", "error": None}],
                    }
                }
            ],
        },
        {
            "mode": "managed",
            "type": "aws_elastictranscoder_preset",
            "name": "web",
            "instances": [
                {
                    "attributes": {
                        "id": "2222222222222-abcde2",
                        "name": "web",
                        "container": "mp4",
                        "audio": [{"codec": "AAC", "bit_rate": "128", "channels": "2", "audio_packing_mode": ""}],
                        "audio_codec_options": [{"profile": "AAC-LC"}],
                        "video": [{"codec": "H.264", "fixed_gop": "false", "keyframes_max_dist": "90"}],
                        "video_codec_options": {"Profile": "main", "MaxReferenceFrames": "3"},
                        "video_watermarks": [{"id": "TopLeft", "max_width": "10%"}],
                        "thumbnails": [{"format": "png", "interval": "60"}],
                    }
                }
            ],
        },
        {"mode": "data", "type": "aws_elastictranscoder_preset", "name": "other", "instances": [{"attributes": {}}]},
        {"mode": "managed", "type": "aws_s3_bucket", "name": "in", "instances": [{"attributes": {"id": "in"}}]},
    ],
}


def file(directory: Path, document: object, name: str = "saved.json") -> Path:
    saved = directory / name
    saved.write_text(document if isinstance(document, str) else json.dumps(document))
    return saved


@pytest.mark.parametrize(
    "document",
    [{"Pipelines": [PIPELINE]}, {"Pipeline": PIPELINE, "Warnings": []}, {"Pipelines": [PIPELINE], "NextToken": None}],
)
def test_pipelines_are_read_as_the_command_line_prints_them(tmp_path: Path, document: dict[str, Any]) -> None:
    saved = read([file(tmp_path, document)])
    assert saved.presets == {}
    assert saved.pipelines["1111111111111-abcde1"]["Name"] == "films"


def test_presets_are_read_as_the_command_line_prints_them(tmp_path: Path) -> None:
    saved = read([file(tmp_path, {"Presets": [PRESET]}), file(tmp_path, {"Preset": PRESET}, "one.json")])
    [preset] = saved.presets.values()
    assert wanted_preset(preset) == {"Name": "web", "Container": "mp4"}


def test_the_state_of_terraform_says_what_the_api_said(tmp_path: Path) -> None:
    saved = read([file(tmp_path, STATE, "terraform.tfstate")])
    assert wanted_pipeline(saved.pipelines["1111111111111-abcde1"]) == {
        "Name": "films",
        "InputBucket": "in",
        "Role": PIPELINE["Role"],
        "ContentConfig": {
            "Bucket": "out",
            "StorageClass": "ReducedRedundancy",
            "Permissions": [{"Grantee": "AllUsers", "GranteeType": "Group", "Access": ["Read"]}],
        },
        "ThumbnailConfig": {"Bucket": "thumbs", "StorageClass": "Standard", "Permissions": []},
        "Notifications": {"Completed": "arn:aws:sns:us-east-1:1:done", "Error": ""},
    }
    assert [*saved.presets] == ["2222222222222-abcde2"]
    assert wanted_preset(saved.presets["2222222222222-abcde2"]) == {
        "Name": "web",
        "Container": "mp4",
        "Audio": {"Codec": "AAC", "BitRate": "128", "Channels": "2", "CodecOptions": {"Profile": "AAC-LC"}},
        "Video": {
            "Codec": "H.264",
            "FixedGOP": "false",
            "KeyframesMaxDist": "90",
            "CodecOptions": {"Profile": "main", "MaxReferenceFrames": "3"},
            "Watermarks": [{"Id": "TopLeft", "MaxWidth": "10%"}],
        },
        "Thumbnails": {"Format": "png", "Interval": "60"},
    }


def test_one_bucket_for_everything_is_asked_for_in_the_short_way(tmp_path: Path) -> None:
    """The service answered in both ways, and takes one."""
    saved = read([file(tmp_path, {"Pipeline": PIPELINE})])
    wanted = wanted_pipeline(saved.pipelines["1111111111111-abcde1"])
    assert wanted["OutputBucket"] == "out"
    assert not wanted.keys() & {"ContentConfig", "ThumbnailConfig", "Id", "Arn", "Status", "AwsKmsKeyArn"}
    assert buckets(wanted) == {"in", "out"}


@pytest.mark.parametrize(
    "config",
    [
        {"Bucket": "other"},
        {"Bucket": "out", "StorageClass": "ReducedRedundancy"},
        {"Bucket": "out", "Permissions": [{"GranteeType": "Group", "Grantee": "AllUsers", "Access": ["Read"]}]},
    ],
)
def test_what_the_short_way_cannot_say_is_asked_for_in_the_long_one(tmp_path: Path, config: dict[str, Any]) -> None:
    saved = read([file(tmp_path, {"Pipeline": PIPELINE | {"ThumbnailConfig": config}})])
    wanted = wanted_pipeline(saved.pipelines["1111111111111-abcde1"])
    assert "OutputBucket" not in wanted
    assert wanted["ThumbnailConfig"] == config
    assert buckets(wanted) == {"in", "out", config["Bucket"]}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("no JSON", "cannot be read as JSON"),
        ("[]", "is not a JSON object"),
        ({"Jobs": []}, "has neither pipelines nor presets"),
        ({"Preset": {"Name": "web"}}, "without Id or Name"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, document: object, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read([file(tmp_path, document)])


def test_what_two_files_tell_differently_is_not_chosen_by_chance(tmp_path: Path) -> None:
    older = file(tmp_path, {"Preset": PRESET | {"Container": "ts"}}, "older.json")
    with pytest.raises(Unreadable, match=r"2222222222222-abcde2 otherwise than a file before it"):
        read([older, file(tmp_path, {"Preset": PRESET})])
