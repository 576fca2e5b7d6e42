"""What one output is to be: container, video, audio, thumbnails. The body of a preset, or inline in a job.

Field names and ranges follow Elastic Transcoder's presets; units are the API's (bits per second, seconds, pixels).
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from shared.jobspec.audio import AudioSettings, PackingMode
from shared.jobspec.codecs import AUDIO_CODECS, VIDEO_CODECS, AudioCodec, Container
from shared.jobspec.mismatch import mismatch
from shared.jobspec.thumbnails import ThumbnailSettings
from shared.jobspec.video import VideoSettings
from shared.models import Sent


class Settings(Sent):
    container: Container = Field(description="What kind of file it is.")
    video: VideoSettings | None = Field(None, description="Without it, the output has no picture.")
    audio: AudioSettings | None = Field(None, description="Without it, the output has no sound.")
    thumbnails: ThumbnailSettings | None = Field(None, description="What thumbnails are, where an output has any.")

    @model_validator(mode="after")
    def _container_carries_its_codecs(self) -> Self:
        if self.video is None and self.audio is None:
            raise mismatch("video", "Settings have video, audio or both.")
        if self.video is not None and self.video.codec not in VIDEO_CODECS.get(self.container, frozenset()):
            raise mismatch("video/codec", f"{self.container} does not carry {self.video.codec} video.")
        if self.audio is not None and self.audio.codec not in AUDIO_CODECS.get(self.container, frozenset()):
            raise mismatch("audio/codec", f"{self.container} does not carry {self.audio.codec} sound.")
        if self.video is None and self.audio is not None and self.audio.channels == 0:
            raise mismatch("audio/channels", "Without video, sound needs channels.")
        if self.audio is not None:
            self._check_sound_of_container(self.audio)
        if (
            self.audio is not None
            and self.audio.packing_mode is not PackingMode.SINGLE_TRACK
            and self.container is not Container.MXF
        ):
            raise mismatch("audio/packing_mode", "Only mxf packs channels into tracks of their own.")
        if self.video is None and self.container is Container.MXF:
            raise mismatch("video", "mxf carries sound with a picture only.")
        if self.thumbnails is not None and self.video is None:
            raise mismatch("thumbnails", "Thumbnails need video.")
        if self.container is Container.FMP4 and self.video is not None and not self.video.fixed_gop:
            raise mismatch("video/fixed_gop", "fmp4 needs a fixed GOP.")
        return self

    def _check_sound_of_container(self, audio: AudioSettings) -> None:
        if self.container is Container.MXF and audio.bit_depth not in (None, 16, 24):
            raise mismatch("audio/bit_depth", "mxf carries pcm of 16 or 24 bits.")
        if self.container is Container.MXF and audio.sample_rate not in ("auto", 48000):
            raise mismatch("audio/sample_rate", "mxf carries sound of 48000 Hz.")
        if self.container is Container.FLV and audio.codec is AudioCodec.MP3 and audio.sample_rate == 32000:
            raise mismatch("audio/sample_rate", "flv carries mp3 of 22050, 44100 or 48000 Hz.")
