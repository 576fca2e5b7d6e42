"""The objects of one output: its media in every form that its playlists want, and its thumbnails."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field
from typing import Final

from agent.media import hls
from agent.media.packaging.members import Member, relative
from agent.media.packaging.recipes import Encrypt, Join, Mark, Recipe
from agent.media.planning import PlannedThumbnails
from agent.media.verify import File
from shared.protocol import ProducedObject

CMAF_BRAND: Final = b"cmfc"


@dataclass
class Objects:
    """What becomes of one output."""

    made: list[ProducedObject] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    recipes: list[Recipe] = field(default_factory=list)

    @property
    def objects(self) -> tuple[ProducedObject, ...]:
        return tuple(self.made)

    def add_playlist(self, name: str, key: str, content: bytes) -> None:
        self.files[name] = content
        self.made.append(ProducedObject(name=name, key=key, size=len(content), role="media_playlist"))


def objects_of(member: Member) -> Objects:
    made = Objects()
    output = member.output
    if member.forms.as_file:
        made.made.append(ProducedObject(name=output.file, key=member.key, size=member.verified.size, role="media"))
    if member.protection is not None:
        _encrypt(member, made)
    if member.forms.as_segments:
        _add_segments(member, made)
    if member.forms.as_ranges:
        _add_ranges(member, made)
    if member.forms.with_playlist:
        _add_fragments(member, made)
    _add_thumbnails(output.thumbnails, member.verified.thumbnails, made)
    _add_sheets(member, made)
    return made


def segments_playlist(member: Member) -> str:
    return f"{member.key}.m3u8"


def ranges_playlist(member: Member) -> str:
    return f"{member.key}_v4.m3u8"


def stills_playlist(member: Member) -> str:
    return f"{member.key}_iframe.m3u8"


def segment_entries(member: Member) -> tuple[hls.Entry, ...]:
    playlist = segments_playlist(member)
    return tuple(
        hls.Entry(relative(_segment_key(member, number), playlist), place.seconds, place.size)
        for number, place in enumerate(member.places)
    )


def range_entries(member: Member) -> tuple[hls.Entry, ...]:
    uri = relative(_ranges_key(member), ranges_playlist(member))
    return tuple(hls.Entry(uri, place.seconds, place.size, place.offset) for place in member.places)


def still_entries(member: Member) -> tuple[hls.Entry, ...]:
    """Each lasts until the next one."""
    uri = relative(_ranges_key(member), stills_playlist(member))
    stills = member.stills
    total = sum(place.seconds for place in member.places)
    times = [still.seconds - stills[0].seconds for still in stills] + [total]
    return tuple(
        hls.Entry(uri, max(0.001, after - at), still.size, still.offset)
        for still, at, after in zip(stills, times, times[1:], strict=False)
    )


def fragment_entries(member: Member) -> tuple[hls.Entry, ...]:
    uri = relative(member.key, segments_playlist(member))
    entries, offset = [], member.index.media
    for reference in member.index.references:
        entries.append(hls.Entry(uri, reference.seconds, reference.size, offset))
        offset += reference.size
    return tuple(entries)


def _segment_key(member: Member, number: int) -> str:
    return f"{member.key}{number:05d}.ts"


def _ranges_key(member: Member) -> str:
    return f"{member.key}.ts"


def _add_segments(member: Member, made: Objects) -> None:
    made.made += [
        ProducedObject(name=segment.name, key=_segment_key(member, number), size=place.size, role="media")
        for number, (segment, place) in enumerate(zip(member.verified.segments, member.places, strict=True))
    ]
    playlist = segments_playlist(member)
    content = hls.media_playlist(segment_entries(member), key=_content_key(member, playlist))
    made.add_playlist(f"m{member.output.index}.m3u8", playlist, content)


def _add_ranges(member: Member, made: Objects) -> None:
    name = f"j{member.output.index}.ts"
    parts = tuple(segment.name for segment in member.verified.segments)
    made.recipes.append(Join(name, parts, keeps_parts=member.forms.as_segments))
    size = sum(place.size for place in member.places)
    made.made.append(ProducedObject(name=name, key=_ranges_key(member), size=size, role="media"))
    playlist = ranges_playlist(member)
    key = _content_key(member, playlist)
    content = hls.media_playlist(range_entries(member), version=hls.RANGES, key=key)
    made.add_playlist(f"m{member.output.index}_v4.m3u8", playlist, content)
    if member.stills:
        header = hls.Header(relative(_ranges_key(member), stills_playlist(member)), member.tables.range)
        content = hls.media_playlist(still_entries(member), version=hls.HEADERS, header=header, key=key, stills=True)
        made.add_playlist(f"m{member.output.index}_iframe.m3u8", stills_playlist(member), content)


def _add_fragments(member: Member, made: Objects) -> None:
    if (brand := member.spare_brand) is not None:
        made.recipes.append(Mark(member.output.file, brand, CMAF_BRAND))
    playlist = segments_playlist(member)
    header = hls.Header(relative(member.key, playlist), member.index.initialization)
    content = hls.media_playlist(fragment_entries(member), version=hls.FRAGMENTS, header=header)
    made.add_playlist(f"m{member.output.index}.m3u8", playlist, content)


def _encrypt(member: Member, made: Objects) -> None:
    protection = member.protection
    assert protection is not None
    names = tuple(segment.name for segment in member.verified.segments)
    made.recipes.append(Encrypt(names, protection.cipher))
    if protection.url is None:
        name = f"k{member.output.index}.key"
        made.files[name] = content = b64decode(protection.cipher.key)
        made.made.append(ProducedObject(name=name, key=_key_key(member), size=len(content), role="content_key"))


def _content_key(member: Member, playlist: str) -> hls.ContentKey | None:
    protection = member.protection
    if protection is None:
        return None
    vector = b64decode(protection.cipher.initialization_vector)
    return hls.ContentKey(protection.url or relative(_key_key(member), playlist), vector)


def _key_key(member: Member) -> str:
    """Where the content key is stored, beside the playlists whose segments it opens."""
    return f"{member.key}.key"


def _add_thumbnails(planned: PlannedThumbnails | None, files: tuple[File, ...], made: Objects) -> None:
    if planned is None:
        return
    pattern = (
        planned.spec.pattern.replace("{resolution}", str(planned.sizing.frame)) + f".{planned.spec.settings.format}"
    )
    made.made += [
        ProducedObject(name=file.name, key=pattern.replace("{count}", f"{count:05d}"), size=file.size, role="thumbnail")
        for count, file in enumerate(files, start=1)
    ]


def _add_sheets(member: Member, made: Objects) -> None:
    sheets = member.verified.sheets
    if sheets is None:
        return
    made.made += [
        ProducedObject(name=name, key=key, size=size, role="sprite")
        for name, key, size in zip(sheets.names, sheets.keys, sheets.sizes, strict=True)
    ]
    made.files[sheets.map_name] = sheets.map
    made.made.append(ProducedObject(name=sheets.map_name, key=sheets.map_key, size=len(sheets.map), role="sprite_map"))
