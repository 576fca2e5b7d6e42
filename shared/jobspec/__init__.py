"""The job document: what a tenant may ask for. A superset of Elastic Transcoder's, in snake_case."""

from shared.jobspec.audio import AudioSettings
from shared.jobspec.clips import Clip
from shared.jobspec.codecs import AudioCodec, Container, VideoCodec
from shared.jobspec.inputs import Input
from shared.jobspec.job import HardwarePreference, JobDocument, Placement, StartPolicy
from shared.jobspec.names import CONTENT_KEY, MASTER_EXTENSIONS, Forms, forms, master_keys
from shared.jobspec.outputs import Output, OutputThumbnails
from shared.jobspec.playlists import Playlist, PlaylistFormat
from shared.jobspec.settings import Settings
from shared.jobspec.sizing import PaddingPolicy, SizingPolicy
from shared.jobspec.thumbnails import ThumbnailSettings
from shared.jobspec.video import VideoSettings
from shared.jobspec.watermarks import Watermark, WatermarkSlot

__all__ = [
    "CONTENT_KEY", "MASTER_EXTENSIONS", "AudioCodec", "AudioSettings", "Clip", "Container", "Forms", "HardwarePreference", "Input",
    "JobDocument", "Output", "OutputThumbnails", "PaddingPolicy", "Placement", "Playlist", "PlaylistFormat", "Settings",
    "SizingPolicy", "StartPolicy", "ThumbnailSettings", "VideoCodec", "VideoSettings", "Watermark", "WatermarkSlot", "forms",
    "master_keys",
]  # fmt: skip
