"""Which files are written anew before anything is said of them, and how."""

from __future__ import annotations

from base64 import b64decode
from typing import Final
from uuid import UUID

from agent.media.fragments import Cenc, Refragment
from agent.media.fragments.playready import header, system_header
from shared.jobspec import Container, PlaylistFormat
from shared.protocol import LicenseProtection, OutputSpec, TranscodeFile

TRACKS: Final = 8
"""More than an output has."""


def refragment(task: TranscodeFile, output: OutputSpec) -> Refragment | None:
    """What is to become of an output's file; None where it stays as it is."""
    if output.settings.container is not Container.FMP4:
        return None
    smooth = any(
        playlist.format is PlaylistFormat.SMOOTH and output.index in playlist.outputs for playlist in task.playlists
    )
    protection = task.license_protection(output)
    if protection is None:
        return Refragment(smooth=True) if smooth else None
    return Refragment(
        smooth=smooth,
        cenc=Cenc(
            key=b64decode(protection.cipher.key),
            key_id=UUID(protection.key_id),
            first=int.from_bytes(b64decode(protection.cipher.initialization_vector), "big"),
        ),
        system_header=system_header(playready_header(protection)),
        first_track=output.index * TRACKS,
    )


def playready_header(protection: LicenseProtection) -> bytes:
    return header(b64decode(protection.cipher.key), UUID(protection.key_id), protection.url)
