"""Documents with a fault in every few bytes: the first in each list ends it, since everybody waits while faults are gathered."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import BaseModel, ValidationError

from controlplane.api.requests import NewUser, NewWebhook
from controlplane.dialects.elastictranscoder.jobs.structures import CreateJob
from controlplane.dialects.elastictranscoder.pipelines import structures
from controlplane.dialects.elastictranscoder.presets.structures import CreatePreset
from shared.jobspec import JobDocument

MANY: list[dict[str, Any]] = [{"nobody": "knows", "this": "field"}] * 1000
FEW = 40


@pytest.mark.parametrize(
    ("model", "document"),
    [
        (JobDocument, {"inputs": MANY, "outputs": MANY, "playlists": MANY}),
        (JobDocument, {"inputs": [{"key": "a", "captions": {"sources": MANY}}]}),
        (
            JobDocument,
            {"outputs": [{"watermarks": MANY, "captions": {"formats": MANY}, "album_art": {"artwork": MANY}}]},
        ),
        (JobDocument, {"outputs": [{"settings": {"video": {"watermarks": MANY}}}]}),
        (JobDocument, {"playlists": [{"output_keys": MANY}]}),
        (NewUser, {"name": "Ada", "permissions": MANY}),
        (NewUser, {"name": "Ada", "permissions": [{"actions": MANY, "resources": MANY}]}),
        (NewWebhook, {"types": MANY}),
        (CreateJob, {"Inputs": MANY, "Outputs": MANY, "Playlists": MANY}),
        (CreateJob, {"Inputs": [{"InputCaptions": {"CaptionSources": MANY}}]}),
        (CreateJob, {"Outputs": [{"Watermarks": MANY, "Composition": MANY, "AlbumArt": {"Artwork": MANY}}]}),
        (CreateJob, {"Outputs": [{"Captions": {"CaptionSources": MANY, "CaptionFormats": MANY}}]}),
        (CreateJob, {"Playlists": [{"OutputKeys": MANY}]}),
        (structures.CreatePipeline, {"ContentConfig": {"Permissions": MANY}}),
        (structures.CreatePipeline, {"ContentConfig": {"Permissions": [{"Access": MANY}]}}),
        (structures.TestRole, {"Topics": MANY}),
        (CreatePreset, {"Video": {"Watermarks": MANY}}),
    ],
)
def test_the_first_fault_of_a_list_is_enough(model: type[BaseModel], document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate_json(orjson.dumps(document))
    assert refused.value.error_count() < FEW
