"""Album art of outputs of sound."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.domain.sources import Source, of_artwork
from shared.errors import InvalidField
from shared.jobspec import Output, Settings
from shared.jobspec.artwork import unfit
from shared.protocol import AlbumArtSpec, ArtworkSpec


def check(output: Output, settings: Settings, where: str) -> None:
    """Raises InvalidField where an output cannot carry what it is to."""
    if output.album_art is None:
        return
    misfit = unfit(output.album_art, settings)
    if misfit is not None:
        field, sentence = misfit
        raise InvalidField(sentence, pointer=f"{where}/album_art{field}")


def of_output(output: Output, read: Mapping[Source, int]) -> AlbumArtSpec | None:
    if output.album_art is None:
        return None
    return AlbumArtSpec(
        merge_policy=output.album_art.merge_policy,
        artwork=tuple(
            ArtworkSpec(
                input=read[of_artwork(art)],
                max_width=None if art.max_width == "auto" else art.max_width,
                max_height=None if art.max_height == "auto" else art.max_height,
                sizing_policy=art.sizing_policy,
                padding_policy=art.padding_policy,
                format=art.format,
            )
            for art in output.album_art.artwork
        ),
    )
