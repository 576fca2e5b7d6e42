"""The structures of a pipeline on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.members import PRINTABLE, Id

Name = Annotated[str, Field(min_length=1, max_length=40, pattern=PRINTABLE)]
BucketName = Annotated[str, Field(pattern=r"(?-u)^(\w|\.|-){1,255}$")]
Topic = Annotated[str, Field(pattern=r"(^$)|(^arn:aws:sns:.*:\w{12}:.+$)", max_length=512)]
Text = Annotated[str, Field(min_length=1, max_length=255)]
Kms = Annotated[str, Field(max_length=255)]
Role = Annotated[str, Field(max_length=2048)]
"""Whatever it looks like otherwise is refused in other words."""


class NotificationTopics(Structure):
    """Empty texts: nobody is told."""

    progressing: Topic | None = None
    completed: Topic | None = None
    warning: Topic | None = None
    error: Topic | None = None


class Permission(Structure):
    """Kept and told back: files here are the tenant's alone."""

    grantee_type: Literal["Canonical", "Email", "Group"] | None = None
    grantee: Text | None = None
    access: (
        Annotated[
            tuple[Literal["FullControl", "Read", "ReadAcp", "WriteAcp"], ...], Field(max_length=30, fail_fast=True)
        ]
        | None
    ) = None


class PipelineOutputConfig(Structure):
    bucket: BucketName | None = None
    storage_class: Literal["ReducedRedundancy", "Standard"] | None = None
    permissions: Annotated[tuple[Permission, ...], Field(max_length=30, fail_fast=True)] | None = None


class CreatePipeline(Structure):
    name: Name
    input_bucket: BucketName
    output_bucket: BucketName | None = None
    role: Role | None = None
    aws_kms_key_arn: Kms | None = None
    notifications: NotificationTopics | None = None
    content_config: PipelineOutputConfig | None = None
    thumbnail_config: PipelineOutputConfig | None = None


class NamedPipeline(Structure):
    id: Id


class UpdatePipeline(NamedPipeline):
    name: Name | None = None
    input_bucket: BucketName | None = None
    role: Role | None = None
    aws_kms_key_arn: Kms | None = None
    notifications: NotificationTopics | None = None
    content_config: PipelineOutputConfig | None = None
    thumbnail_config: PipelineOutputConfig | None = None


class UpdatePipelineNotifications(NamedPipeline):
    notifications: NotificationTopics


class UpdatePipelineStatus(NamedPipeline):
    status: Literal["Active", "Paused"]


class TestRole(Structure):
    role: Role
    input_bucket: BucketName
    output_bucket: BucketName
    topics: Annotated[tuple[Topic, ...], Field(max_length=30, fail_fast=True)]
