"""The PlayReady header, beside the one that another packager made of the same key, id and address."""

from __future__ import annotations

import struct
from uuid import UUID

from agent.media.fragments.playready import SYSTEM, header, system_header

KEY = bytes(range(16))
KEY_ID = UUID("01020304-0506-0708-090a-0b0c0d0e0f10")
ANOTHERS = (
    '<WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader" version="4.0.0.0"><DATA>'
    "<PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO><KID>BAMCAQYFCAcJCgsMDQ4PEA==</KID>"
    "<CHECKSUM>EyguuKS5IpY=</CHECKSUM><LA_URL>https://x/?a=1&amp;b=2</LA_URL></DATA></WRMHEADER>"
)
"""Shaka Packager's 3.8."""


def test_it_says_what_another_packager_says() -> None:
    made = header(KEY, KEY_ID, "https://x/?a=1&b=2")
    assert made[10:].decode("utf-16-le") == ANOTHERS
    assert struct.unpack_from("<IHHH", made) == (len(made), 1, 1, len(made) - 10)


def test_its_box_names_the_system() -> None:
    box = bytes(system_header(b"header"))
    assert box[:12] == struct.pack(">I4sI", len(box), b"pssh", 0)
    assert (UUID(bytes=box[12:28]), box[28:]) == (SYSTEM, b"\0\0\0\6header")
