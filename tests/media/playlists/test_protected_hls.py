"""HLS whose segments are encrypted with AES-128: what a player that has the key gets is what it would get without."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import m3u8
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher as Block
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from shared.jobspec import PlaylistFormat
from shared.jobspec.encryption import EncryptionMode
from shared.protocol import Cipher, SegmentProtection
from tests.fields import shows
from tests.media.encoding import Made
from tests.media.playlists.sites import AUDIO, IV, KEY, VIDEO, a_playlist, an_output, cut, frame_hashes, site

pytestmark = pytest.mark.media


def decrypted(content: bytes, iv: bytes = IV, *, padded: bool = True) -> bytes:
    cipher = Block(AES(KEY), CBC(iv)).decryptor()
    clear = cipher.update(content) + cipher.finalize()
    if not padded:
        return clear
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(clear) + unpadder.finalize()


def protected(source: Path, root: Path, url: str | None) -> tuple[Path, Made]:
    """In both formats."""
    key, vector = b64encode(KEY).decode(), b64encode(IV).decode()
    cipher = Cipher(mode=EncryptionMode.AES_CBC_PKCS7, key=key, initialization_vector=vector)
    protection = SegmentProtection(cipher=cipher, url=url)
    playlists = tuple(
        a_playlist(form, 1, key=f"{form.value}.m3u8", index=index, hls_protection=protection)
        for index, form in enumerate((PlaylistFormat.HLS_V3, PlaylistFormat.HLS_V4))
    )
    return site(root, source, an_output(0, "hls/v", "ts", video=VIDEO, audio=AUDIO), playlists=playlists)


@pytest.fixture(scope="module")
def stored(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return protected(source, tmp_path_factory.mktemp("stored"), None)[0]


@pytest.fixture(scope="module")
def clear(source: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What its pictures are."""
    playlists = (a_playlist(PlaylistFormat.HLS_V3, 1, key="index.m3u8"),)
    output = an_output(0, "v", "ts", video=VIDEO, audio=AUDIO)
    folder, _ = site(tmp_path_factory.mktemp("clear"), source, output, playlists=playlists)
    return frame_hashes("-i", "v.m3u8", cwd=folder)


@shows(
    "playlists[].hls_content_protection.method",
    "playlists[].hls_content_protection.key",
    "playlists[].hls_content_protection.initialization_vector",
)
def test_segments_are_opened_by_the_key_and_nothing_else_is_in_them(
    stored: Path, clear: list[str], tmp_path: Path
) -> None:
    playlist = m3u8.load(str(stored / "hls" / "v.m3u8"))
    [key] = playlist.keys
    assert (key.method, key.uri, key.iv) == ("AES-128", "v.key", f"0x{IV.hex()}")
    pieces = []
    for segment in playlist.segments:
        content = (stored / "hls" / segment.uri).read_bytes()
        assert len(content) % 16 == 0
        assert content[0] != 0x47
        (tmp_path / "piece.ts").write_bytes(decrypted(content))
        assert (tmp_path / "piece.ts").read_bytes()[0] == 0x47
        pieces += frame_hashes("-i", str(tmp_path / "piece.ts"))
    assert pieces == clear


def test_ranges_of_one_file_are_encrypted_each_by_itself(stored: Path, clear: list[str], tmp_path: Path) -> None:
    playlist = m3u8.load(str(stored / "hls" / "v_v4.m3u8"))
    pieces = []
    for segment in playlist.segments:
        size, offset = map(int, segment.byterange.split("@"))
        assert (size % 16, offset % 16) == (0, 0)
        (tmp_path / "piece.ts").write_bytes(decrypted(cut(stored / "hls" / "v.ts", offset, size)))
        pieces += frame_hashes("-i", str(tmp_path / "piece.ts"))
    assert pieces == clear


def test_i_frames_are_opened_as_the_standard_says(stored: Path, tmp_path: Path) -> None:
    """The range is widened to whole blocks, and by one more in front, which stands for the IV."""
    file = stored / "hls" / "v.ts"
    playlist = m3u8.load(str(stored / "hls" / "v_iframe.m3u8"))
    size, offset = map(int, playlist.segment_map[0].byterange.split("@"))
    assert offset == 0
    head = decrypted(cut(file, 0, -(-size // 16) * 16), padded=False)[:size]
    for segment in playlist.segments:
        size, offset = map(int, segment.byterange.split("@"))
        first = offset // 16 * 16
        last = -(-(offset + size) // 16) * 16
        block = cut(file, first - 16, 16)
        still = decrypted(cut(file, first, last - first), block, padded=False)[offset - first :][:size]
        (tmp_path / "still.ts").write_bytes(head + still)
        assert len(frame_hashes("-i", str(tmp_path / "still.ts"))) == 1


@shows("playlists[].hls_content_protection.key_storage_policy=WithVariantPlaylists")
def test_a_player_opens_what_is_stored_with_the_playlists(stored: Path, clear: list[str]) -> None:
    assert (stored / "hls" / "v.key").read_bytes() == KEY
    opened = ("-allowed_extensions", "ALL", "-protocol_whitelist", "file,crypto")
    assert frame_hashes(*opened, "-i", "hls/v.m3u8", cwd=stored) == clear


@shows(
    "playlists[].hls_content_protection.key_storage_policy=NoStore",
    "playlists[].hls_content_protection.license_acquisition_url",
)
def test_a_key_that_is_not_stored_is_nowhere(source: Path, tmp_path: Path) -> None:
    folder, made = protected(source, tmp_path, "https://keys.example/one?film=1&x=2")
    assert not list(folder.rglob("*.key"))
    [key] = m3u8.load(str(folder / "hls" / "v.m3u8")).keys
    assert key.uri == "https://keys.example/one?film=1&x=2"
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    said = made.report.model_dump_json() + " ".join(word for command in made.commands for word in command)
    for form in (KEY.hex(), KEY.decode("latin-1")):
        assert form.encode("latin-1") not in everything
        assert form not in said
