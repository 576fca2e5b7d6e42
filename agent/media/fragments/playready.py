"""The PlayReady header: which key, and where its licence is."""

from __future__ import annotations

import struct
from base64 import b64encode
from typing import Final
from uuid import UUID
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from agent.media.fragments.tree import Box, full

SYSTEM: Final = UUID("9a04f079-9840-4286-ab92-e65be0885f95")
NAMESPACE: Final = "http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader"


def header(key: bytes, key_id: UUID, url: str) -> bytes:
    """A PlayReady object with one rights management header of version 4.0, whose key id has its least significant byte first."""
    little = key_id.bytes_le
    checksum = Cipher(AES(key), ECB()).encryptor().update(little)[:8]  # noqa: S305 (the format's own check value)
    text = (
        f'<WRMHEADER xmlns="{NAMESPACE}" version="4.0.0.0"><DATA>'
        "<PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO>"
        f"<KID>{b64encode(little).decode()}</KID><CHECKSUM>{b64encode(checksum).decode()}</CHECKSUM>"
        f"<LA_URL>{escape(url)}</LA_URL></DATA></WRMHEADER>"
    ).encode("utf-16-le")
    record = struct.pack("<HH", 1, len(text)) + text
    return struct.pack("<IH", 6 + len(record), 1) + record


def system_header(playready: bytes) -> Box:
    """The same in the box that players of common encryption look for."""
    return full(b"pssh", 0, 0, SYSTEM.bytes + struct.pack(">I", len(playready)) + playready)
