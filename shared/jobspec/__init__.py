"""The job document: what a tenant may ask for. A superset of Elastic Transcoder's, in snake_case."""

from shared.jobspec.job import (
    HardwarePreference,
    Input,
    JobDocument,
    Output,
    OutputThumbnails,
    Placement,
    Playlist,
    PlaylistFormat,
    StartPolicy,
)
from shared.jobspec.settings import (
    AudioCodec,
    AudioSettings,
    Container,
    PaddingPolicy,
    Settings,
    SizingPolicy,
    ThumbnailSettings,
    VideoCodec,
    VideoSettings,
    WatermarkSlot,
)

__all__ = [
    "AudioCodec", "AudioSettings", "Container", "HardwarePreference", "Input", "JobDocument", "Output", "OutputThumbnails",
    "PaddingPolicy", "Placement", "Playlist", "PlaylistFormat", "Settings", "SizingPolicy", "StartPolicy", "ThumbnailSettings",
    "VideoCodec", "VideoSettings", "WatermarkSlot",
]  # fmt: skip
