"""Manifests of MPEG-DASH."""

from __future__ import annotations

from collections.abc import Sequence

from agent.media import dash
from agent.media.packaging import captions
from agent.media.packaging.members import Member, relative
from shared.protocol import PlaylistSpec


def manifests(spec: PlaylistSpec, members: Sequence[Member]) -> tuple[bytes]:
    representations = [_representation(spec, member) for member in members]
    return (dash.manifest(representations, captions.texts(spec, members), protection=_protection(members[0])),)


def _protection(member: Member) -> dash.Protection | None:
    """The same of all members."""
    if member.playready is None or member.key_id is None:
        return None
    return dash.Protection(member.key_id, member.playready)


def _representation(spec: PlaylistSpec, member: Member) -> dash.Representation:
    output = member.output
    return dash.Representation(
        id=str(output.index),
        uri=relative(output.spec.key, spec.key),
        index=member.index,
        codecs=member.codecs,
        duration=member.verified.duration,
        size=output.picture.sizing.frame if output.picture else None,
        frame_rate=output.picture.rate if output.picture else None,
        sample_rate=output.audio.sample_rate if output.audio else None,
        channels=output.audio.channels if output.audio else None,
    )
