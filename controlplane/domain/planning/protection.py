"""Which playlists are protected how, and what nodes are told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from controlplane.domain.content_keys import cipher_of
from shared.errors import InvalidField
from shared.jobspec import Playlist, PlaylistFormat
from shared.jobspec.encryption import EncryptionMode
from shared.protocol import LicenseProtection, SegmentProtection

PROTECTED_BY: Final[Mapping[PlaylistFormat, str]] = {
    PlaylistFormat.HLS_V3: "hls_content_protection",
    PlaylistFormat.HLS_V4: "hls_content_protection",
    PlaylistFormat.MPEG_DASH: "play_ready_drm",
    PlaylistFormat.SMOOTH: "play_ready_drm",
}
"""A CMAF playlist cannot be: players of HLS and of MPEG-DASH agree on no encryption of the files that they share."""


def check_protection(playlists: Sequence[Playlist]) -> None:
    """Raises InvalidField where a format knows no such protection, or two playlists want an output protected in two ways."""
    if all(playlist.hls_content_protection is None and playlist.play_ready_drm is None for playlist in playlists):
        return
    for index, playlist in enumerate(playlists):
        for field in ("hls_content_protection", "play_ready_drm"):
            if getattr(playlist, field) is not None and PROTECTED_BY.get(playlist.format) != field:
                raise InvalidField(f"{playlist.format} has no {field}.", pointer=f"/playlists/{index}/{field}")
        for other in playlists[:index]:
            _check_shared(playlist, other, f"/playlists/{index}")


def _check_shared(playlist: Playlist, other: Playlist, where: str) -> None:
    """An output that both name is encrypted once."""
    shared = [position for position, key in enumerate(playlist.output_keys) if key in other.output_keys]
    if shared and _protection(playlist) != _protection(other):
        detail = f"The playlist {other.name!r} names this output too, and protects it in another way."
        raise InvalidField(detail, pointer=f"{where}/output_keys/{shared[0]}")
    hls = playlist.hls_content_protection
    if shared and hls is not None and hls.key is None and hls.license_acquisition_url is not None:
        detail = f"The playlist {other.name!r} names the same outputs: give both the key that opens them."
        raise InvalidField(detail, pointer=f"{where}/hls_content_protection/key")


def of_segments(playlist: Playlist) -> SegmentProtection | None:
    wanted = playlist.hls_content_protection
    if wanted is None:
        return None
    return SegmentProtection(cipher=cipher_of(wanted, EncryptionMode.AES_CBC_PKCS7), url=wanted.license_acquisition_url)


def of_fragments(playlist: Playlist) -> LicenseProtection | None:
    wanted = playlist.play_ready_drm
    if wanted is None:
        return None
    opened_by = cipher_of(wanted, EncryptionMode.AES_CTR)
    return LicenseProtection(cipher=opened_by, key_id=wanted.key_id, url=wanted.license_acquisition_url)


def _protection(playlist: Playlist) -> object:
    return playlist.hls_content_protection or playlist.play_ready_drm
