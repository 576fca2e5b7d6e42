"""The objects that a job reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.jobspec import Input, JobDocument
from shared.jobspec.artwork import Artwork
from shared.jobspec.captions import CaptionSource
from shared.jobspec.encryption import Decryption
from shared.jobspec.watermarks import Watermark


@dataclass(frozen=True)
class Source:
    key: str
    sha256: str | None = None
    """Of the whole object, in hexadecimal, where the tenant named it."""
    encryption: Decryption | None = None
    is_input: bool = True
    """Otherwise what single outputs need: only they suffer when it cannot be read."""


def sources(document: JobDocument) -> tuple[Source, ...]:
    """The inputs in their order, then whatever else it refers to, each once. Places in this row are what nodes are told."""
    return tuple(places(document))


def places(document: JobDocument) -> dict[Source, int]:
    """Where in the row each of them is."""
    inputs = [of_input(wanted) for wanted in document.inputs]
    return {source: place for place, source in enumerate(dict.fromkeys((*inputs, *_others(document))))}


def of_input(wanted: Input) -> Source:
    return Source(wanted.key, wanted.sha256, wanted.encryption)


def of_captions(captions: CaptionSource) -> Source:
    return Source(captions.key, encryption=captions.encryption, is_input=False)


def of_watermark(watermark: Watermark) -> Source:
    return Source(watermark.input_key, encryption=watermark.encryption, is_input=False)


def of_artwork(art: Artwork) -> Source:
    return Source(art.input_key, encryption=art.encryption, is_input=False)


def _others(document: JobDocument) -> Iterator[Source]:
    for wanted in document.inputs:
        if wanted.captions is not None:
            yield from map(of_captions, wanted.captions.sources)
    for output in document.outputs:
        if output.captions is not None:
            yield from map(of_captions, output.captions.sources or ())
        yield from map(of_watermark, output.watermarks)
        if output.album_art is not None:
            yield from map(of_artwork, output.album_art.artwork)
