"""From a pipeline of the wire to a native one, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import ValidationError

from controlplane.dialects.elastictranscoder.constraints import refused
from controlplane.dialects.elastictranscoder.pipelines.structures import (
    CreatePipeline,
    NotificationTopics,
    PipelineOutputConfig,
    UpdatePipeline,
)
from controlplane.domain.notifications import Notifications
from controlplane.store.records import Pipeline
from shared.errors import InvalidField

_ROLE: Final = re.compile(r"arn:aws:iam::\w{12}:role/.+", re.ASCII)
Fields = dict[str, Any]


def check(sent: CreatePipeline) -> None:
    """Raises InvalidField in the words that the service had for what does not go together."""
    check_role(sent.role)
    content, thumbnails = sent.content_config, sent.thumbnail_config
    if sent.output_bucket is not None and content is not None:
        raise InvalidField("[OutputBucket and ContentConfig are mutually exclusive.]")
    if sent.output_bucket is not None and thumbnails is not None:
        raise InvalidField("[OutputBucket and ThumbnailConfig are mutually exclusive.]")
    if sent.output_bucket is None and (content is None or content.bucket is None):
        raise InvalidField("[OutputBucket and ContentConfig:Bucket are not allowed to both be null.]")
    if content is not None and (thumbnails is None or thumbnails.bucket is None):
        raise InvalidField("[ThumbnailConfig:Bucket is not allowed to be null if ContentConfig is specified.]")


def check_role(role: str | None) -> None:
    """It means nothing here, and is kept as it was sent."""
    if not role:
        raise InvalidField("Role cannot be blank")
    if not _ROLE.fullmatch(role):
        raise InvalidField(f"Role ARN is invalid: {role[:255]}")


def buckets(sent: CreatePipeline | UpdatePipeline) -> Fields:
    """Native fields for the buckets that are named."""
    output = getattr(sent, "output_bucket", None) or _bucket(sent.content_config)
    named = {
        "input_bucket": sent.input_bucket,
        "output_bucket": output,
        "thumbnail_bucket": _bucket(sent.thumbnail_config),
    }
    return {field: name for field, name in named.items() if name is not None}


def place(field: str, sent: CreatePipeline | UpdatePipeline) -> str:
    """Where on the wire a native field's bucket was named."""
    if field == "output_bucket" and sent.content_config is not None:
        return "contentConfig.bucket"
    return {
        "input_bucket": "inputBucket",
        "output_bucket": "outputBucket",
        "thumbnail_bucket": "thumbnailConfig.bucket",
    }[field]


def topics(sent: NotificationTopics | None) -> Notifications | None:
    """Raises InvalidField for what no topic is called."""
    if sent is None:
        return None
    named = {event: topic or None for event, topic in sent}
    try:
        return Notifications(**named)
    except ValidationError as error:
        (event,) = error.errors()[0]["loc"]
        raise refused(f"notifications.{event}", named[str(event)], "be the ARN of a topic") from error


def terms(sent: CreatePipeline | UpdatePipeline, known: Mapping[str, Any] | None = None) -> str:
    """What is kept of a pipeline and told back; what is not sent stays as it was."""
    told = {
        "role": sent.role,
        "aws_kms_key_arn": sent.aws_kms_key_arn,
        "content": _kept(sent.content_config),
        "thumbnails": _kept(sent.thumbnail_config),
    }
    return orjson.dumps(
        {**(known or {}), **{name: value for name, value in told.items() if value is not None}}
    ).decode()


def view(found: Pipeline, arn: str, account: str) -> Fields:
    kept = orjson.loads(found.terms)
    told = Notifications.model_validate_json(found.notifications)
    return {
        "Id": found.id,
        "Arn": arn,
        "Name": found.name,
        "Status": found.status,
        "InputBucket": found.input_bucket,
        "OutputBucket": found.output_bucket,
        "Role": kept.get("role", f"arn:aws:iam::{account}:role/transcoder"),
        "AwsKmsKeyArn": kept.get("aws_kms_key_arn"),
        "Notifications": {event.capitalize(): topic or "" for event, topic in told},
        "ContentConfig": {"Bucket": found.output_bucket, "Permissions": [], **kept.get("content", {})},
        "ThumbnailConfig": {"Bucket": found.thumbnail_bucket, "Permissions": [], **kept.get("thumbnails", {})},
    }


def _bucket(config: PipelineOutputConfig | None) -> str | None:
    return config.bucket if config else None


def _kept(config: PipelineOutputConfig | None) -> Fields | None:
    if config is None:
        return None
    return config.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"bucket"})
