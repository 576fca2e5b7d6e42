"""Captions: where they come from, and in which forms they go out."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from shared.jobspec.codecs import Container, VideoCodec
from shared.jobspec.encryption import Decryption, Encryption
from shared.jobspec.fields import Name, ObjectKey, OutputKey
from shared.jobspec.mismatch import mismatch
from shared.jobspec.settings import Settings
from shared.languages import is_language, three_letters
from shared.models import Sent

LANGUAGE: Final = "{language}"
LONGEST_OFFSET: Final = 100_000
"""Seconds."""


class MergePolicy(StrEnum):
    MERGE_OVERRIDE = "merge_override"  # both; of one language, the sidecar
    MERGE_RETAIN = "merge_retain"  # both; of one language, what is embedded in the input
    OVERRIDE = "override"  # sidecars only


class CaptionFormat(StrEnum):
    MOV_TEXT = "mov-text"
    SRT = "srt"
    SCC = "scc"
    WEBVTT = "webvtt"
    DFXP = "dfxp"
    CEA_708 = "cea-708"

    @property
    def is_embedded(self) -> bool:
        return self in (CaptionFormat.MOV_TEXT, CaptionFormat.CEA_708)


def extension(form: CaptionFormat, container: Container) -> str:
    """Of files in a sidecar format, beside an output of this container."""
    if form is CaptionFormat.DFXP and container is Container.FMP4:
        return "ismt"
    return _EXTENSIONS[form]


_EXTENSIONS: Final = {
    CaptionFormat.DFXP: "dfxp",
    CaptionFormat.SCC: "scc",
    CaptionFormat.SRT: "srt",
    CaptionFormat.WEBVTT: "vtt",
}


def _language(code: str) -> str:
    if not is_language(code):
        raise PydanticCustomError("language", "A language is a code of ISO 639-1 or ISO 639-2: 'en' or 'eng'.")
    return code


def seconds_of(offset: float | str) -> float:
    """`-1.2`, `"-1.2"` or `"-00:00:01.2"` → -1.2"""
    if isinstance(offset, float | int):
        return float(offset)
    sign = -1 if offset.startswith("-") else 1
    seconds = 0.0
    for part in offset.lstrip("+-").split(":"):
        seconds = seconds * 60 + float(part)
    return sign * seconds


_OFFSET: Final = re.compile(
    r"[+-]?(\d{1,5}(\.\d{0,3})?|([0-1]?\d:|2[0-3]:)?([0-5]?\d:)?[0-5]?\d(\.\d{0,3})?)", re.ASCII
)


def _offset(offset: float | str) -> float | str:
    is_fit = _OFFSET.fullmatch(offset) is not None if isinstance(offset, str) else abs(offset) < LONGEST_OFFSET
    if not is_fit:
        raise PydanticCustomError("offset", "An offset is a number of seconds, '[+-]sssss.SSS' or '[+-]HH:mm:ss.SSS'.")
    return offset


class CaptionSource(Sent):
    """One file with the captions of one language: dfxp, ebu-tt, scc, smpte-tt, srt, ttml or webvtt, told by its content."""

    key: ObjectKey = Field(description="Of an object in the pipeline's input bucket.")
    language: Annotated[str, AfterValidator(_language)] = Field(description="ISO 639-1 or ISO 639-2, in small letters.")
    offset: Annotated[float | str, AfterValidator(_offset)] = Field(
        0.0, description="Seconds, or [+-]HH:mm:ss.SSS: how much later than the file says every caption is shown."
    )
    label: Name | None = Field(None, description="What players show for it in their menus.")
    encryption: Decryption | None = Field(None, description="How the file is encrypted.")


Sources = Annotated[tuple[CaptionSource, ...], Field(max_length=20, fail_fast=True)]


class InputCaptions(Sent):
    merge_policy: MergePolicy = Field(
        MergePolicy.MERGE_OVERRIDE,
        description="Which of two captions in one language counts: that of a file, or that embedded in the input.",
    )
    sources: Sources = Field((), description="Files beside the input, one for each language.")

    @model_validator(mode="after")
    def _has_each_language_once(self) -> Self:
        check_languages(self.sources)
        return self


def check_languages(sources: tuple[CaptionSource, ...]) -> None:
    seen: set[str] = set()
    for number, source in enumerate(sources):
        if three_letters(source.language) in seen:
            raise mismatch(
                f"sources/{number}/language", f"Another source has the language {source.language!r} already."
            )
        seen.add(three_letters(source.language))


class OutputCaption(Sent):
    format: CaptionFormat = Field(description="mov-text and cea-708 lie within the output, the others beside it.")
    pattern: OutputKey | None = Field(
        None,
        description="Of a sidecar format: key with {language} (put at its end where it is missing); "
        "five digits from 00000 and the extension are added.",
    )
    encryption: Encryption | None = Field(None, description="Of the files of a sidecar format.")

    @model_validator(mode="after")
    def _has_a_pattern_of_its_own(self) -> Self:
        if self.format.is_embedded and self.pattern is not None:
            raise mismatch("pattern", f"{self.format} lies within the output: it has no key of its own.")
        if self.format.is_embedded and self.encryption is not None:
            raise mismatch("encryption", f"{self.format} lies within the output, and is encrypted with it.")
        if not self.format.is_embedded and self.pattern is None:
            raise mismatch("pattern", f"{self.format} is written beside the output: say under which key.")
        return self

    @property
    def stem(self) -> str:
        """The pattern with {language} in it."""
        pattern = self.pattern or ""
        return pattern if LANGUAGE in pattern else pattern + LANGUAGE


_DEPRECATED: Final[dict[str, JsonValue]] = {"deprecated": True}


class OutputCaptions(Sent):
    formats: Annotated[tuple[OutputCaption, ...], Field(min_length=1, max_length=4, fail_fast=True)] = Field(
        description="At most one of them within the output."
    )
    merge_policy: MergePolicy | None = Field(
        None, description="Deprecated, of jobs with one input: instead of the input's.", json_schema_extra=_DEPRECATED
    )
    sources: Sources | None = Field(
        None, description="Deprecated, of jobs with one input: instead of the input's.", json_schema_extra=_DEPRECATED
    )

    @model_validator(mode="after")
    def _formats_go_together(self) -> Self:
        formats = [wanted.format for wanted in self.formats]
        for number, wanted in enumerate(formats):
            if wanted in formats[:number]:
                raise mismatch(f"formats/{number}/format", f"{wanted} is there already.")
            if wanted.is_embedded and any(other.is_embedded for other in formats[:number]):
                raise mismatch(f"formats/{number}/format", "An output embeds captions in one format.")
        check_languages(self.sources or ())
        return self

    @property
    def own(self) -> InputCaptions | None:
        """What it says itself of where captions come from."""
        if self.merge_policy is None and self.sources is None:
            return None
        return InputCaptions(merge_policy=self.merge_policy or MergePolicy.MERGE_OVERRIDE, sources=self.sources or ())


EMBEDDED_IN: Final = {
    CaptionFormat.MOV_TEXT: frozenset({Container.MP4}),
    CaptionFormat.CEA_708: frozenset({Container.MP4, Container.FMP4, Container.TS}),
}


def unfit(captions: OutputCaptions, settings: Settings) -> tuple[str, str] | None:
    """Which field of the captions does not go with the settings, and why not; or None."""
    if settings.video is None:
        return "", "A sound-only output has no captions."
    for number, wanted in enumerate(captions.formats):
        field = f"/formats/{number}/format"
        if wanted.format.is_embedded and settings.container not in EMBEDDED_IN[wanted.format]:
            return field, f"{settings.container} does not carry {wanted.format}."
        if wanted.format is CaptionFormat.CEA_708 and settings.video.codec is not VideoCodec.H264:
            return field, "cea-708 lies within h264 pictures."
    return None
