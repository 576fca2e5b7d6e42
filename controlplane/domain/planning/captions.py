"""Captions of a job: what fits together, under which keys they appear, and what nodes are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controlplane.domain import patterns
from controlplane.domain.content_keys import cipher
from controlplane.domain.sources import Source, of_captions
from shared.errors import InvalidField
from shared.jobspec import Container, JobDocument, Output, PlaylistFormat, Settings
from shared.jobspec.captions import (
    LANGUAGE,
    CaptionFormat,
    InputCaptions,
    OutputCaptions,
    extension,
    seconds_of,
    unfit,
)
from shared.protocol import CaptionFormatSpec, CaptionSourceSpec, InputCaptionsSpec, OutputCaptionsSpec

LONGEST_LANGUAGE: Final = "lng"
COUNT: Final = "00000"


def check(output: Output, settings: Settings, document: JobDocument, where: str) -> None:
    """Raises InvalidField where an output cannot have the captions that it asks for."""
    if output.captions is None:
        return
    misfit = unfit(output.captions, settings)
    if misfit is not None:
        field, sentence = misfit
        raise InvalidField(sentence, pointer=where + field)
    if output.captions.own is not None and len(document.inputs) > 1:
        field = "sources" if output.captions.sources is not None else "merge_policy"
        raise InvalidField("With several inputs, captions are named at each of them.", pointer=f"{where}/{field}")
    _check_encryption(output, output.captions, document, where)


def _check_encryption(output: Output, captions: OutputCaptions, document: JobDocument, where: str) -> None:
    """Raises InvalidField for captions of players that no player could read."""
    formats = {one.format for one in document.playlists if output.key in one.output_keys}
    played = {CaptionFormat.WEBVTT} if formats or output.segment_duration is not None else set()
    played |= {CaptionFormat.DFXP} if PlaylistFormat.SMOOTH in formats else set()
    for number, wanted in enumerate(captions.formats):
        if wanted.encryption is not None and wanted.format in played:
            detail = "Captions that a playlist names are not encrypted as files: no player could read them."
            raise InvalidField(detail, pointer=f"{where}/formats/{number}/encryption")


def keys(output: Output, container: Container) -> list[tuple[str, str]]:
    """Every key that captions may take, with {language} in it, and which field of the output says so."""
    if output.captions is None:
        return []
    named: list[tuple[str, str]] = []
    for number, wanted in enumerate(output.captions.formats):
        if wanted.pattern is None:
            continue
        pointer = f"/captions/formats/{number}/pattern"
        named.append((f"{wanted.stem}{COUNT}.{extension(wanted.format, container)}", pointer))
        if wanted.format is CaptionFormat.WEBVTT and output.segment_duration is not None:
            named.append((f"{wanted.stem}.m3u8", pointer))
    return named


def longest_keys(output: Output, container: Container) -> list[tuple[str, str]]:
    """The same keys as they may come to be."""
    return [(key.replace(LANGUAGE, LONGEST_LANGUAGE), field) for key, field in keys(output, container)]


def of_output(captions: OutputCaptions, prefix: str, places: Mapping[Source, int]) -> OutputCaptionsSpec:
    return OutputCaptionsSpec(
        formats=tuple(
            CaptionFormatSpec(
                format=wanted.format,
                pattern=prefix + wanted.stem if wanted.pattern else None,
                encryption=cipher(wanted.encryption),
            )
            for wanted in captions.formats
        ),
        own=of_input(captions.own, places),
    )


def of_input(captions: InputCaptions | None, places: Mapping[Source, int]) -> InputCaptionsSpec | None:
    if captions is None:
        return None
    return InputCaptionsSpec(
        merge_policy=captions.merge_policy,
        sources=tuple(
            CaptionSourceSpec(
                input=places[of_captions(source)],
                language=source.language,
                offset=seconds_of(source.offset),
                label=source.label,
            )
            for source in captions.sources
        ),
    )


def may_be(key: str, captions: OutputCaptionsSpec, container: Container) -> bool:
    """Whether a node may publish captions of the output under this key."""
    return any(_may_be(key, wanted, container) for wanted in captions.formats)


def _may_be(key: str, wanted: CaptionFormatSpec, container: Container) -> bool:
    if wanted.pattern is None:
        return False
    numbered = rf"\d{{5,10}}\.{extension(wanted.format, container)}"
    ends = numbered + (r"|\.m3u8" if wanted.format is CaptionFormat.WEBVTT else "")
    return patterns.may_be(key, wanted.pattern, {LANGUAGE: "[a-z]{2,3}"}, ends)
