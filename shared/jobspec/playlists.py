"""How a job's outputs are named together for players."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.jobspec.fields import OutputKey
from shared.jobspec.protection import HlsContentProtection, PlayReadyDrm
from shared.models import Sent


class PlaylistFormat(StrEnum):
    HLS_V3 = "HLSv3"
    HLS_V4 = "HLSv4"
    MPEG_DASH = "MPEG-DASH"
    SMOOTH = "Smooth"
    CMAF = "CMAF"  # HLS and MPEG-DASH of the same files


class Playlist(Sent):
    name: OutputKey = Field(description="Key; the extensions of the format are added, whatever it ends with.")
    format: PlaylistFormat = Field(description="What players it is for; CMAF is HLS and MPEG-DASH of the same files.")
    output_keys: Annotated[tuple[OutputKey, ...], Field(min_length=1, max_length=30, fail_fast=True)] = Field(
        description="Keys of outputs as in `outputs`. HLS takes ts with `segment_duration`, the others take fmp4."
    )
    hls_content_protection: HlsContentProtection | None = None
    play_ready_drm: PlayReadyDrm | None = None
