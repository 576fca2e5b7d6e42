"""From a job document to the task that a node is given: presets resolved, names made whole, demand estimated.

captions    which captions outputs get, and what nodes are told of them
playlists   which outputs go together in which playlist
protection  how playlists are protected
names       everything that a job makes has a key of its own
recipe      what a job makes, apart from what it makes it of
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controlplane.domain.content_keys import cipher
from controlplane.domain.parts import parts, span
from controlplane.domain.planning import artwork, captions, protection, watermarks
from controlplane.domain.planning.names import PLAIN_THUMBNAILS, refuse_collisions
from controlplane.domain.planning.playlists import check_playlist
from controlplane.domain.planning.recipe import Recipe
from controlplane.domain.sources import places
from shared.errors import InvalidField
from shared.ids import PresetId
from shared.jobspec import (
    MASTER_EXTENSIONS,
    Container,
    JobDocument,
    Output,
    OutputThumbnails,
    Settings,
    ThumbnailSettings,
)
from shared.jobspec.outputs import Sprite
from shared.protocol import OutputSpec, PlaylistSpec, SpriteSpec, ThumbnailSpec, TranscodeFile

LARGEST_SHEET: Final = 64 * 1024 * 1024
"""Pixels."""
SEGMENTED: Final = frozenset({Container.TS, Container.FMP4})


def check(document: JobDocument, presets: Mapping[PresetId, Settings]) -> Recipe:
    """What the document asks for. Raises InvalidField, with a pointer into it, where its parts do not fit together.

    Of the document nothing counts but outputs, playlists, whether it has several inputs, and the prefix; this last only
    for `check_keys`.
    """
    recipe = Recipe(
        document.outputs, document.playlists, tuple(settings_of(output, presets) for output in document.outputs)
    )
    for index, (output, settings) in enumerate(zip(recipe.outputs, recipe.settings, strict=True)):
        _check_output(output, settings, f"/outputs/{index}")
        captions.check(output, settings, document, f"/outputs/{index}/captions")
    for index, playlist in enumerate(recipe.playlists):
        check_playlist(playlist, recipe.outputs, recipe.settings, f"/playlists/{index}")
    protection.check_protection(recipe.playlists)
    refuse_collisions(recipe)
    recipe.check_keys(document.output_key_prefix)
    return recipe


def plan(document: JobDocument, presets: Mapping[PresetId, Settings]) -> TranscodeFile:
    """The whole work of a job as one task; `check` passed the document when it was submitted."""
    named = {output.key: index for index, output in enumerate(document.outputs)}
    read = places(document)
    return TranscodeFile(
        parts=parts(document, read),
        outputs=tuple(
            OutputSpec(
                index=index,
                key=document.output_key_prefix + output.key,
                settings=watermarks.without_slots(settings := settings_of(output, presets)),
                segment_duration=output.segment_duration,
                rotate=output.rotate,
                watermarks=watermarks.of_output(output, settings, read),
                album_art=artwork.of_output(output, read),
                thumbnails=_thumbnails(output.thumbnails, settings, document.output_key_prefix),
                captions=output.captions and captions.of_output(output.captions, document.output_key_prefix, read),
                encryption=cipher(output.encryption),
                clip=span(output.clip),
            )
            for index, output in enumerate(document.outputs)
        ),
        playlists=tuple(
            PlaylistSpec(
                index=index,
                key=document.output_key_prefix + playlist.name + MASTER_EXTENSIONS[playlist.format][0],
                format=playlist.format,
                outputs=tuple(named[key] for key in playlist.output_keys),
                hls_protection=protection.of_segments(playlist),
                license_protection=protection.of_fragments(playlist),
            )
            for index, playlist in enumerate(document.playlists)
        ),
        hardware=document.placement.hardware,
        captions=tuple(captions.of_input(source.captions, read) for source in document.inputs),
    )


def settings_of(output: Output, presets: Mapping[PresetId, Settings]) -> Settings:
    """Its own, or those of the preset that it names."""
    return output.settings or presets[PresetId(output.preset_id or "")]


def _check_output(output: Output, settings: Settings, where: str) -> None:
    if output.segment_duration is not None and settings.container not in SEGMENTED:
        detail = f"Only ts and fmp4 outputs are cut into segments; this one is {settings.container}."
        raise InvalidField(detail, pointer=f"{where}/segment_duration")
    if output.thumbnails is not None and settings.video is None:
        raise InvalidField("A sound-only output has no thumbnails.", pointer=f"{where}/thumbnails")
    if output.thumbnails is not None and output.thumbnails.sprite is not None:
        _check_sprite(output.thumbnails, output.thumbnails.sprite, settings, f"{where}/thumbnails/sprite")
    if output.encryption is not None and output.segment_duration is not None:
        detail = "Segments are not encrypted as files: no player could read them; protect the playlist instead."
        raise InvalidField(detail, pointer=f"{where}/encryption")
    if output.rotate != "auto" and settings.video is None:
        raise InvalidField("A sound-only output has no picture to rotate.", pointer=f"{where}/rotate")
    watermarks.check(output, settings, where)
    artwork.check(output, settings, where)


def _check_sprite(wish: OutputThumbnails, sprite: Sprite, settings: Settings, where: str) -> None:
    base = settings.thumbnails or PLAIN_THUMBNAILS
    if wish.encryption is not None:
        raise InvalidField("Sheets would show what the thumbnails are encrypted for.", pointer=where)
    width, height = _wished(wish, base).bounds
    across, down = sprite.columns * width, sprite.rows * height
    if across * down > LARGEST_SHEET:
        detail = f"A sheet would have up to {across}x{down} pixels; make its thumbnails smaller or fewer."
        raise InvalidField(detail, pointer=where)


def _thumbnails(wish: OutputThumbnails | None, settings: Settings, prefix: str) -> ThumbnailSpec | None:
    if wish is None:
        return None
    base = settings.thumbnails or PLAIN_THUMBNAILS
    return ThumbnailSpec(
        pattern=prefix + wish.pattern,
        settings=_wished(wish, base),
        encryption=cipher(wish.encryption),
        sprite=wish.sprite
        and SpriteSpec(key=prefix + wish.sprite.key, columns=wish.sprite.columns, rows=wish.sprite.rows),
    )


def _wished(wish: OutputThumbnails, base: ThumbnailSettings) -> ThumbnailSettings:
    """What the preset says, changed; a size that the output names is instead of a deprecated one."""
    changes = wish.model_dump(exclude={"pattern", "encryption", "sprite"}, exclude_none=True)
    if changes.keys() & {"max_width", "max_height", "sizing_policy", "padding_policy"}:
        changes |= {"resolution": None, "aspect_ratio": None}
    return base.model_copy(update=changes)
