"""How a job's outputs are named together for players."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.jobspec.fields import (
    OutputKey,
)
from shared.models import Sent


class PlaylistFormat(StrEnum):
    HLS_V3 = "HLSv3"
    MPEG_DASH = "MPEG-DASH"


class Playlist(Sent):
    name: OutputKey
    format: PlaylistFormat
    output_keys: Annotated[tuple[OutputKey, ...], Field(min_length=1, max_length=30)]
