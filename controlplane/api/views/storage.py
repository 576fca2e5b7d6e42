"""What jobs read and write: pipelines, presets, buckets, objects and links to them."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from controlplane.domain.notifications import Notifications
from controlplane.services.presets import AnyPreset
from controlplane.storage.files import ObjectInfo
from controlplane.store import records
from shared.clock import to_datetime
from shared.ids import PipelineId, PresetId
from shared.jobspec import Settings
from shared.models import Answer
from shared.statuses import PipelineStatus


class PipelineView(Answer):
    id: PipelineId
    name: str
    input_bucket: str
    output_bucket: str
    thumbnail_bucket: str
    notifications: Notifications = Field(description="Which topics are told of what.")
    status: PipelineStatus
    created_at: dt.datetime


def pipeline(found: records.Pipeline) -> PipelineView:
    return PipelineView(
        id=found.id,
        name=found.name,
        input_bucket=found.input_bucket,
        output_bucket=found.output_bucket,
        thumbnail_bucket=found.thumbnail_bucket,
        notifications=Notifications.model_validate_json(found.notifications),
        status=found.status,
        created_at=to_datetime(found.created_at),
    )


class PresetView(Answer):
    id: PresetId
    name: str
    description: str
    type: str = Field(description='"System" or "Custom".')
    settings: Settings


def preset(found: AnyPreset) -> PresetView:
    return PresetView(
        id=found.id,
        name=found.name,
        description=found.description,
        type="System" if found.is_system else "Custom",
        settings=found.settings,
    )


class BucketView(Answer):
    name: str
    kind: str
    root: str
    created_at: dt.datetime


def bucket(found: records.Bucket) -> BucketView:
    return BucketView(name=found.name, kind=found.kind, root=found.root, created_at=to_datetime(found.created_at))


class StoredObject(Answer):
    key: str
    size: int
    modified_at: dt.datetime


def stored(found: ObjectInfo) -> StoredObject:
    return StoredObject(key=found.key, size=found.size, modified_at=to_datetime(found.modified_at))


class LinkView(Answer):
    method: str
    url: str
    expires_in: float = Field(description="Seconds.")


class OutputLinks(Answer):
    key: str
    role: str
    url: str
