"""What people watch with: pages in a real browser that play each format to its end."""

from __future__ import annotations

import json
from base64 import b64encode
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from shared.jobspec import PlaylistFormat
from shared.jobspec.encryption import EncryptionMode
from shared.protocol import Cipher, LicenseProtection, OutputSpec, PlaylistSpec, SegmentProtection
from tests.browser import DASH, HLS, SHAKA, needs_browser, played, travelled
from tests.media.playlists.origin import Origin
from tests.media.playlists.sites import AUDIO, IV, KEY, SMALLER, VIDEO, a_playlist, an_output, site
from tests.players import player

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("browser"), needs_browser]

TOGETHER = (
    an_output(0, "v/high", "ts", video=VIDEO, audio=AUDIO),
    an_output(1, "v/low", "ts", video=SMALLER, audio=AUDIO),
)
APART = (
    an_output(0, "v/high", "ts", video=VIDEO),
    an_output(1, "v/low", "ts", video=SMALLER),
    an_output(2, "sound", "ts", audio=AUDIO),
)
FRAGMENTED = (
    an_output(0, "v/high.mp4", "fmp4", video=VIDEO),
    an_output(1, "v/low.mp4", "fmp4", video=SMALLER),
    an_output(2, "sound.mp4", "fmp4", audio=AUDIO),
)
NEWER = (
    an_output(0, "v.mp4", "fmp4", video={**VIDEO, "codec": "av1", "profile": None}),
    an_output(1, "sound.mp4", "fmp4", audio={**AUDIO, "codec": "opus"}),
)
PRESENTED_TOGETHER = (an_output(0, "film.mp4", "fmp4", video=VIDEO, audio=AUDIO),)
"""As the system presets for Smooth Streaming have it."""
PROTECTION = SegmentProtection(
    cipher=Cipher(
        mode=EncryptionMode.AES_CBC_PKCS7, key=b64encode(KEY).decode(), initialization_vector=b64encode(IV).decode()
    )
)

CORRECTION = 0.5
"""Seconds by which a clock may go back: a browser that waited for the processor guesses anew where the sound is."""
LICENSE = LicenseProtection(
    cipher=Cipher(
        mode=EncryptionMode.AES_CTR, key=b64encode(KEY).decode(), initialization_vector=b64encode(IV[:8]).decode()
    ),
    key_id="01020304-0506-0708-090a-0b0c0d0e0f10",
    url="https://licences.example/",
)


def check(told: dict[str, Any]) -> None:
    """Played from its beginning to its end, with picture and sound."""
    assert "error" not in told, told
    assert told["clock"][-1] == pytest.approx(5.0, abs=0.15)
    assert all(after > before - CORRECTION for before, after in pairwise(told["clock"]))
    assert told["width"] / told["height"] == pytest.approx(16 / 9, abs=0.01)
    assert told["frames"] > 60
    assert told["sound"] > 0


STOPS = ((2.5, None), (1.0, 128), (3.0, 192), (0.2, 128), (4.5, None))


@pytest.mark.parametrize(
    ("outputs", "form", "name", "how", "of"),
    [
        pytest.param(TOGETHER, PlaylistFormat.HLS_V3, "hls", HLS, "film.m3u8", id="HLSv3"),
        pytest.param(APART, PlaylistFormat.HLS_V4, "hls", HLS, "film.m3u8", id="HLSv4 with sound apart"),
        pytest.param(FRAGMENTED, PlaylistFormat.MPEG_DASH, "dash", DASH, "film.mpd", id="MPEG-DASH"),
        pytest.param(FRAGMENTED, PlaylistFormat.CMAF, "shaka", SHAKA % ("{}", "%s"), "film.mpd", id="CMAF"),
    ],
)
def test_players_go_anywhere_and_change_the_picture_on_the_way(
    source: Path, tmp_path: Path, outputs: tuple[OutputSpec, ...], form: PlaylistFormat, name: str, how: str, of: str
) -> None:
    playlists = (a_playlist(form, len(outputs), key="film.mpd" if form is PlaylistFormat.MPEG_DASH else "film.m3u8"),)
    folder, _ = site(tmp_path, source, *outputs, playlists=playlists)
    told = travelled(folder, player(name), how % f"/{of}", STOPS)
    assert "error" not in told, told
    for (clock, width), (stop, wanted) in zip(told["visited"], STOPS, strict=True):
        assert stop + 0.2 < clock <= 5.1
        assert width == wanted or wanted is None


@pytest.mark.parametrize(
    ("outputs", "playlist"),
    [
        pytest.param(TOGETHER, a_playlist(PlaylistFormat.HLS_V3, 2, key="a/film.m3u8"), id="HLSv3"),
        pytest.param(TOGETHER, a_playlist(PlaylistFormat.HLS_V4, 2, key="a/film.m3u8"), id="HLSv4"),
        pytest.param(APART, a_playlist(PlaylistFormat.HLS_V4, 3, key="a/film.m3u8"), id="HLSv4 with sound apart"),
        pytest.param(
            TOGETHER,
            a_playlist(PlaylistFormat.HLS_V3, 2, key="a/film.m3u8", hls_protection=PROTECTION),
            id="encrypted HLSv3",
        ),
        pytest.param(
            APART,
            a_playlist(PlaylistFormat.HLS_V4, 3, key="a/film.m3u8", hls_protection=PROTECTION),
            id="encrypted HLSv4",
        ),
        pytest.param(FRAGMENTED, a_playlist(PlaylistFormat.CMAF, 3, key="a/film.m3u8"), id="CMAF"),
    ],
)
def test_hls_plays_to_its_end(
    source: Path, tmp_path: Path, outputs: tuple[OutputSpec, ...], playlist: PlaylistSpec
) -> None:
    folder, _ = site(tmp_path, source, *outputs, playlists=(playlist,))
    check(played(folder, player("hls"), HLS % "/a/film.m3u8"))


@pytest.mark.parametrize(
    ("outputs", "playlist"),
    [
        pytest.param(FRAGMENTED, a_playlist(PlaylistFormat.MPEG_DASH, 3, key="a/film.mpd"), id="MPEG-DASH"),
        pytest.param(FRAGMENTED, a_playlist(PlaylistFormat.CMAF, 3, key="a/film.m3u8"), id="CMAF"),
        pytest.param(NEWER, a_playlist(PlaylistFormat.CMAF, 2, key="a/film.m3u8"), id="CMAF of AV1 and Opus"),
    ],
)
def test_mpeg_dash_plays_to_its_end(
    source: Path, tmp_path: Path, outputs: tuple[OutputSpec, ...], playlist: PlaylistSpec
) -> None:
    folder, _ = site(tmp_path, source, *outputs, playlists=(playlist,))
    manifest = playlist.keys[-1]
    check(played(folder, player("dash"), DASH % f"/{manifest}"))


def test_what_is_licensed_plays_with_its_key_and_not_without(source: Path, tmp_path: Path) -> None:
    """The browser's own decryption, given the key instead of a licence."""
    playlists = (a_playlist(PlaylistFormat.MPEG_DASH, 3, key="film.mpd", license_protection=LICENSE),)
    folder, _ = site(tmp_path, source, *FRAGMENTED, playlists=playlists)
    key_id = LICENSE.key_id.replace("-", "")
    check(played(folder, player("shaka"), SHAKA % (json.dumps({key_id: KEY.hex()}), "/film.mpd")))
    assert "error" in played(folder, player("shaka"), SHAKA % ("{}", "/film.mpd"))


def test_smooth_streaming_plays_to_its_end(source: Path, tmp_path: Path) -> None:
    """With a server that cuts fragments out of the files by their own tables."""
    playlists = (a_playlist(PlaylistFormat.SMOOTH, 1, key="film.ism"),)
    folder, _ = site(tmp_path, source, *PRESENTED_TOGETHER, playlists=playlists)
    origin = Origin(folder / "film.ism")

    def answer(path: str) -> bytes:
        return origin.client.read_bytes() if path == "Manifest" else origin.answer(path)

    check(played(folder, player("dash") + b"\n" + player("smooth"), DASH % "/film.ism/Manifest", origin=answer))
