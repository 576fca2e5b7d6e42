"""Captions of outputs: their objects, and what playlists say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from agent.media import dash, hls
from agent.media.captions import Rendition
from agent.media.packaging.members import Member, relative
from agent.media.packaging.outputs import Objects
from shared.jobspec.captions import CaptionFormat
from shared.languages import UNDETERMINED, shortest
from shared.protocol import PlaylistSpec, ProducedObject

GROUP: Final = "subtitles"
CLOSED: Final = "closed"
CHANNEL: Final = "CC1"


def add(members: Mapping[int, Member], objects: Mapping[int, Objects]) -> None:
    """Of outputs whose captions have the same keys, the first makes them."""
    taken: set[str] = set()
    for index, member in members.items():
        for rendition in member.captions:
            if rendition.files[0].key not in taken:
                taken.update(file.key for file in rendition.files)
                _add(rendition, member, objects[index])


def subtitles(spec: PlaylistSpec, members: Sequence[Member]) -> list[hls.Rendition]:
    """All members have the same captions: those of the first that has any are named."""
    named = next((web for member in members if (web := _web(member))), [])
    return [
        hls.Rendition(
            kind="SUBTITLES",
            group=GROUP,
            name=rendition.label,
            uri=relative(f"{rendition.stem}.m3u8", spec.key),
            language=_language(rendition),
            is_default=number == 0,
        )
        for number, rendition in enumerate(named)
    ] + _closed(members)


def with_subtitles(variants: Sequence[hls.Variant], renditions: Sequence[hls.Rendition]) -> list[hls.Variant]:
    """Every variant names the groups, those with sound only as well: subtitles go with them all."""
    groups = tuple(dict.fromkeys((rendition.kind, rendition.group) for rendition in renditions))
    return [replace(variant, groups=variant.groups + groups) for variant in variants] if groups else list(variants)


def texts(spec: PlaylistSpec, members: Sequence[Member]) -> list[dash.Text]:
    """Whole files of WebVTT."""
    named = next((web for member in members if (web := _web(member))), [])
    return [
        dash.Text(relative(rendition.files[0].key, spec.key), _language(rendition), rendition.label, rendition.size)
        for rendition in named
    ]


def fragmented(member: Member) -> list[Rendition]:
    """Timed text as Smooth Streaming has it."""
    return [rendition for rendition in member.captions if rendition.format is CaptionFormat.DFXP]


def _add(rendition: Rendition, member: Member, made: Objects) -> None:
    for file in rendition.files:
        made.files[file.name] = file.content
        made.made.append(ProducedObject(name=file.name, key=file.key, size=len(file.content), role="captions"))
    if rendition.format is CaptionFormat.WEBVTT and (rendition.is_segmented or member.forms.with_playlist):
        playlist = f"{rendition.stem}.m3u8"
        entries = [
            hls.Entry(relative(file.key, playlist), file.seconds or member.verified.duration, len(file.content))
            for file in rendition.files
        ]
        made.add_playlist(f"{rendition.name}.m3u8", playlist, hls.media_playlist(entries))


def _web(member: Member) -> list[Rendition]:
    return [rendition for rendition in member.captions if rendition.format is CaptionFormat.WEBVTT]


def _closed(members: Sequence[Member]) -> list[hls.Rendition]:
    """Captions within the pictures."""
    for member in members:
        wanted = member.output.spec.captions
        if wanted is not None and member.tracks and any(one.format is CaptionFormat.CEA_708 for one in wanted.formats):
            (track,) = member.tracks
            language = None if track.language == UNDETERMINED else shortest(track.language)
            name = track.label or track.language
            return [hls.Rendition("CLOSED-CAPTIONS", CLOSED, name, None, language, is_default=True, channel=CHANNEL)]
    return []


def _language(rendition: Rendition) -> str | None:
    return None if rendition.language == UNDETERMINED else shortest(rendition.language)
