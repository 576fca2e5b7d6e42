"""What becomes of the sound."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from shared.jobspec.codecs import AudioCodec
from shared.jobspec.mismatch import mismatch
from shared.models import Sent


class PackingMode(StrEnum):
    SINGLE_TRACK = "SingleTrack"
    ONE_CHANNEL_PER_TRACK = "OneChannelPerTrack"
    ONE_CHANNEL_PER_TRACK_WITH_MOS_TO_8_TRACKS = "OneChannelPerTrackWithMosTo8Tracks"


class Loudness(Sent):
    """What the sound is brought to, as EBU R 128 measures it."""

    integrated: Annotated[float, Field(ge=-40, le=-5)] = Field(-23.0, description="LUFS.")
    true_peak: Annotated[float, Field(ge=-9, le=0)] = Field(-1.0, description="dBTP, at most.")


class AudioSettings(Sent):
    codec: AudioCodec = Field(description="Of the sound; which ones a container carries is told above.")
    bit_rate: Annotated[int, Field(ge=16_000, le=512_000)] | None = Field(
        None, description="Bits per second, or the nearest that the codec has; the encoder's own choice when null."
    )
    sample_rate: Literal["auto", 22050, 32000, 44100, 48000, 96000, 192000] = Field(
        "auto", description="In hertz; as the input's with auto."
    )
    channels: Literal["auto", 0, 1, 2] = Field("auto", description="0 drops the sound.")
    packing_mode: PackingMode = Field(
        PackingMode.SINGLE_TRACK, description="How the channels of mxf lie in tracks; MOS adds silent ones up to eight."
    )
    profile: Literal["auto", "AAC-LC", "HE-AAC", "HE-AACv2"] | None = Field(None, description="Of AAC.")
    bit_depth: Literal[8, 16, 24, 32] | None = Field(None, description="Of a sample, of pcm and flac.")
    signed: bool = Field(True, description="Whether samples of pcm have a sign: those of 8 bits have none.")
    bit_order: Literal["LittleEndian"] | None = Field(
        None, description="Of the bytes of a pcm sample: the least significant first, which they are anyway."
    )
    loudness: Loudness | None = Field(None, description="Without it, sound stays as loud as it is.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.profile in ("HE-AAC", "HE-AACv2"):
            raise mismatch("profile", 'No encoder here makes HE-AAC; use "AAC-LC" or "auto".')
        if self.profile is not None and self.codec is not AudioCodec.AAC:
            raise mismatch("profile", "Only aac has profiles.")
        if self.bit_rate is not None and self.codec in (AudioCodec.PCM, AudioCodec.FLAC):
            raise mismatch("bit_rate", f"{self.codec} is lossless: its bit rate follows from rate, depth and channels.")
        if self.bit_depth is not None and self.bit_depth not in _BIT_DEPTHS.get(self.codec, ()):
            raise mismatch("bit_depth", f"{self.codec} has no bit depth of {self.bit_depth} here.")
        if self.packing_mode is not PackingMode.SINGLE_TRACK and self.codec is not AudioCodec.PCM:
            raise mismatch("packing_mode", "Only pcm is packed into several tracks.")
        if self.codec is AudioCodec.PCM and self.signed == (self.bit_depth == 8):
            raise mismatch("signed", "pcm is unsigned with 8 bits, and signed with more.")
        if not self.signed and self.codec is not AudioCodec.PCM:
            raise mismatch("signed", "Only samples of pcm are unsigned.")
        if self.loudness is not None and self.channels == 0:
            raise mismatch("loudness", "Sound that is dropped is not loud.")
        if self.bit_order is not None and self.codec is not AudioCodec.PCM:
            raise mismatch("bit_order", "Only samples of pcm have an order of bytes.")
        if self.sample_rate != "auto" and self.sample_rate > _HIGHEST_SAMPLE_RATES.get(self.codec, 192000):
            raise mismatch("sample_rate", f"{self.codec} has no sample rate of {self.sample_rate} here.")
        if self.codec is AudioCodec.OPUS and self.sample_rate not in ("auto", 48000):
            raise mismatch("sample_rate", "opus is sound of 48000 Hz.")
        return self


_HIGHEST_SAMPLE_RATES: Final[dict[AudioCodec, int]] = {
    AudioCodec.AAC: 96000,
    AudioCodec.MP2: 48000,
    AudioCodec.MP3: 48000,
    AudioCodec.VORBIS: 48000,
}
_BIT_DEPTHS: Final[dict[AudioCodec, tuple[int, ...]]] = {AudioCodec.PCM: (8, 16, 24, 32), AudioCodec.FLAC: (16, 24)}
