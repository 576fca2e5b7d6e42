"""Common encryption with a PlayReady header: nothing plays without the key, and with it everything is as it was."""

from __future__ import annotations

import hashlib
import struct
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher as Block
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB

from shared.jobspec import PlaylistFormat
from shared.jobspec.encryption import EncryptionMode
from shared.protocol import Cipher, LicenseProtection
from tests.fields import shows
from tests.media.encoding import Made
from tests.media.playlists.fragments import runs
from tests.media.playlists.sites import AUDIO, KEY, SMALLER, VIDEO, a_playlist, an_output, frame_hashes, site

pytestmark = pytest.mark.media

VECTOR = bytes(range(200, 208))
KEY_ID = UUID("01020304-0506-0708-090a-0b0c0d0e0f10")
URL = "https://licences.example/rightsmanager.asmx?film=1&country=de"
PROTECTION = LicenseProtection(
    cipher=Cipher(
        mode=EncryptionMode.AES_CTR, key=b64encode(KEY).decode(), initialization_vector=b64encode(VECTOR).decode()
    ),
    key_id=str(KEY_ID),
    url=URL,
)
HEADER = {"wrm": "http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader"}
OUTPUTS = (
    an_output(0, "high.mp4", "fmp4", video=VIDEO, audio=AUDIO),
    an_output(1, "low.mp4", "fmp4", video=SMALLER),
    an_output(2, "sound.mp4", "fmp4", audio=AUDIO),
)
KINDS = {"high.mp4": "va", "low.mp4": "v", "sound.mp4": "a"}
FORMATS = {"MPEG-DASH": (PlaylistFormat.MPEG_DASH, "film.mpd"), "Smooth": (PlaylistFormat.SMOOTH, "film.ism")}


def licensed(
    root: Path, source: Path, form: str, protection: LicenseProtection | None = PROTECTION
) -> tuple[Path, Made]:
    chosen, key = FORMATS[form]
    playlists = (a_playlist(chosen, 3, key=key, license_protection=protection),)
    return site(root, source, *OUTPUTS, playlists=playlists)


@pytest.fixture(scope="module", params=list(FORMATS))
def films(request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """With a licence, and the same without."""
    folder, made = licensed(tmp_path_factory.mktemp("licensed"), source, request.param)
    words = " ".join(word for command in made.commands for word in command)
    for form in (KEY.hex(), b64encode(KEY).decode()):
        assert form not in words + made.report.model_dump_json()
    return folder, licensed(tmp_path_factory.mktemp("free"), source, request.param, None)[0]


@shows("playlists[].play_ready_drm.format", "playlists[].play_ready_drm.key")
def test_a_player_with_the_key_gets_what_it_would_get_without_protection(films: tuple[Path, Path]) -> None:
    folder, free = films
    for name, kinds in KINDS.items():
        for kind in kinds:
            opened = frame_hashes("-decryption_key", KEY.hex(), "-i", str(folder / name), stream=kind)
            assert opened == frame_hashes("-i", str(free / name), stream=kind)


def test_the_standard_is_enough_to_open_it(films: tuple[Path, Path]) -> None:
    """An implementation of its own, by the boxes alone."""
    folder, free = films
    for name in ("low.mp4", "sound.mp4"):
        assert opened(folder / name) == media(free / name)


def test_a_wrong_key_opens_nothing(films: tuple[Path, Path]) -> None:
    folder, free = films
    assert media(folder / "low.mp4") != media(free / "low.mp4")
    assert opened(folder / "low.mp4", key=bytes(16)) != media(free / "low.mp4")


@shows("playlists[].play_ready_drm.initialization_vector")
def test_no_two_samples_share_a_vector(films: tuple[Path, Path]) -> None:
    """Under one key: of any track of any file."""
    folder, _ = films
    vectors = [vector for name in KINDS for run in runs(folder / name) for vector, _ in run.entries]
    assert vectors[0] == VECTOR
    assert len(vectors) > 700
    assert len(set(vectors)) == len(vectors)


def test_headers_of_slices_stay_readable_and_their_bodies_do_not(films: tuple[Path, Path]) -> None:
    folder, _ = films
    for run in runs(folder / "low.mp4"):
        for _, parts in run.entries:
            assert all(clear >= 96 and secret % 16 == 0 for clear, secret in parts if secret)
    [first, *_] = runs(folder / "low.mp4")
    assert sum(secret for _, secret in first.entries[0][1]) > 0.4 * first.sizes[0], "a key frame is hidden"


@shows("playlists[].play_ready_drm.key_id", "playlists[].play_ready_drm.license_acquisition_url")
def test_the_header_names_the_key_and_the_licence_server(films: tuple[Path, Path]) -> None:
    folder, _ = films
    for name in KINDS:
        content = (folder / name).read_bytes()
        at = content.index(b"pssh")
        system, size = UUID(bytes=content[at + 8 : at + 24]), struct.unpack_from(">I", content, at + 24)[0]
        assert system == UUID("9a04f079-9840-4286-ab92-e65be0885f95")
        check_playready(content[at + 28 : at + 28 + size])
        assert content[content.index(b"tenc") + 12 :][:16] == KEY_ID.bytes


def check_playready(header: bytes) -> None:
    length, records, kind, text_length = struct.unpack_from("<IHHH", header)
    assert (length, records, kind, text_length) == (len(header), 1, 1, len(header) - 10)
    root = ET.fromstring(header[10:].decode("utf-16-le"))  # noqa: S314 (our own text)
    assert root.get("version") == "4.0.0.0"
    told = {
        field: str(root.findtext(f"wrm:DATA/wrm:{field}", namespaces=HEADER)) for field in ("KID", "CHECKSUM", "LA_URL")
    }
    assert b64decode(told["KID"]) == KEY_ID.bytes_le
    assert b64decode(told["CHECKSUM"]) == Block(AES(KEY), ECB()).encryptor().update(KEY_ID.bytes_le)[:8]  # noqa: S305
    assert told["LA_URL"] == URL


def test_manifests_say_how_to_get_a_licence(films: tuple[Path, Path]) -> None:
    folder, _ = films
    if (folder / "film.mpd").exists():
        root = ET.parse(folder / "film.mpd").getroot()  # noqa: S314 (our own text)
        sets = root.findall("{*}Period/{*}AdaptationSet")
        assert len(sets) == 3
        for one in sets:
            common, playready = one.findall("{*}ContentProtection")
            assert common.get("{urn:mpeg:cenc:2013}default_KID") == str(KEY_ID)
            check_playready(b64decode(str(playready.findtext("{urn:microsoft:playready}pro"))))
            assert b64decode(str(playready.findtext("{urn:mpeg:cenc:2013}pssh")))[4:8] == b"pssh"
    else:
        root = ET.parse(folder / "film.ismc").getroot()  # noqa: S314 (our own text)
        header = root.find("Protection/ProtectionHeader")
        assert header is not None
        assert header.get("SystemID") == "9A04F079-9840-4286-AB92-E65BE0885F95"
        check_playready(b64decode(str(header.text)))


def media(file: Path) -> str:
    """What all samples are together."""
    argv = ["ffmpeg", "-v", "error", "-i", str(file), "-map", "0", "-c", "copy", "-f", "data", "-"]
    return hashlib.sha256(subprocess.run(argv, capture_output=True, check=True).stdout).hexdigest()


def opened(file: Path, key: bytes = KEY) -> str:
    whole = hashlib.sha256()
    for run in runs(file):
        at = 0
        for size, (vector, parts) in zip(run.sizes, run.entries, strict=True):
            step = Block(AES(key), CTR(vector + bytes(8))).decryptor()
            sample, inside = run.data[at : at + size], 0
            for clear, secret in parts or [(0, size)]:
                whole.update(sample[inside : inside + clear])
                whole.update(step.update(sample[inside + clear : inside + clear + secret]))
                inside += clear + secret
            assert inside == size
            at += size
    return whole.hexdigest()
