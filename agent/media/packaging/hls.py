"""Masters of HLS: variants, the sound that goes with silent ones, and what players leaf through.

An output of sound only is a variant of its own, for those whose connection carries no picture; unless there are outputs of
picture only: then it is what is heard with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from agent.media import hls
from agent.media.hls import Entry, Rendition, Stills, Variant
from agent.media.packaging import captions, outputs
from agent.media.packaging.members import Member, Unfit, relative
from shared.protocol import PlaylistSpec

Entries = Callable[[Member], tuple[Entry, ...]]
Named = Callable[[Member], str]


def version_3(spec: PlaylistSpec, members: Sequence[Member]) -> tuple[bytes]:
    _require_segments(members)
    variants = [variant(spec, member, outputs.segments_playlist, outputs.segment_entries) for member in members]
    renditions = captions.subtitles(spec, members)
    return (hls.master_playlist(captions.with_subtitles(variants, renditions), renditions=renditions),)


def version_4(spec: PlaylistSpec, members: Sequence[Member]) -> tuple[bytes]:
    _require_segments(members)
    stills = [
        Stills(
            uri=relative(outputs.stills_playlist(member), spec.key),
            entries=outputs.still_entries(member),
            size=member.output.picture.sizing.frame if member.output.picture else None,
            codecs=member.codecs[:1],
        )
        for member in members
        if member.stills
    ]
    variants, renditions = beside(spec, members, outputs.ranges_playlist, outputs.range_entries)
    return (hls.master_playlist(variants, version=hls.RANGES, renditions=renditions, stills=stills),)


def beside(
    spec: PlaylistSpec, members: Sequence[Member], named: Named, entries: Entries
) -> tuple[list[Variant], list[Rendition]]:
    """Variants, and the renditions beside them: every silent picture once with every sound."""
    silent = [member for member in members if member.output.audio is None]
    sounds = [member for member in members if member.is_sound_only]
    texts = captions.subtitles(spec, members)
    if not silent or not sounds:
        return captions.with_subtitles([variant(spec, member, named, entries) for member in members], texts), texts
    variants = [
        variant(spec, member, named, entries, sound=sound)
        for member, sound in product(members, sounds)
        if not member.is_sound_only and (member in silent or sound is sounds[0])
    ]
    renditions = [
        Rendition(
            kind="AUDIO",
            group=_group(sound),
            name="Audio",
            uri=relative(named(sound), spec.key),
            channels=sound.output.audio.channels if sound.output.audio else None,
            is_default=True,
        )
        for sound in sounds
    ]
    return captions.with_subtitles(variants, texts), renditions + texts


def variant(
    spec: PlaylistSpec, member: Member, named: Named, entries: Entries, *, sound: Member | None = None
) -> Variant:
    picture = member.output.picture
    with_sound = sound if member.output.audio is None else None
    codecs = member.codecs
    if with_sound is not None:
        codecs = codecs + with_sound.codecs if codecs and with_sound.codecs else ()
    return Variant(
        uri=relative(named(member), spec.key),
        entries=entries(member),
        size=picture.sizing.frame if picture else None,
        frame_rate=picture.rate if picture else None,
        codecs=codecs,
        groups=(("AUDIO", _group(with_sound)),) if with_sound else (),
        beside=(entries(with_sound),) if with_sound else (),
    )


def _group(sound: Member) -> str:
    return f"audio-{sound.output.index}"


def _require_segments(members: Sequence[Member]) -> None:
    if not all(member.output.is_segmented for member in members):
        raise Unfit("An HLS playlist takes outputs of container ts with a segment duration.")
