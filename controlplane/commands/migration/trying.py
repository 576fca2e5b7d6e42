"""What a create would be refused for, by what it says alone: asked without making anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from controlplane.dialects.elastictranscoder import constraints, pipelines, presets
from controlplane.dialects.elastictranscoder.pipelines.structures import CreatePipeline
from controlplane.dialects.elastictranscoder.presets.structures import CreatePreset
from shared.errors import TranscoderError


def fault(kind: str, wanted: Mapping[str, Any]) -> str | None:
    """A sentence, in the service's own words. None: nothing is wrong with it."""
    document = orjson.dumps(wanted)
    try:
        if kind == "preset":
            presets.translation.settings(CreatePreset.model_validate_json(document))
        else:
            pipelines.translation.check(CreatePipeline.model_validate_json(document))
    except ValidationError as error:
        return constraints.invalid(error).detail
    except TranscoderError as error:
        return error.detail
    return None
