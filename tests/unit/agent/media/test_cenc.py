"""What of a sample is encrypted, and with which vector."""

from __future__ import annotations

from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from hypothesis import given
from hypothesis import strategies as st

from agent.media.fragments.cenc import CLEAR, STRIDE, Cenc, encrypted
from agent.media.fragments.samples import Run, Sample
from agent.media.fragments.tracks import Defaults, Track
from agent.media.fragments.tree import Box

KEY = bytes(range(16))
CENC = Cenc(KEY, UUID(int=7), first=5)
NONE = Defaults(0, 0, 0)
SOUND = Track(1, b"soun", 48000, Box(b"mp4a"), NONE, 0)
PICTURE = Track(1, b"vide", 12800, Box(b"avc1", bytes(78) + bytes(Box(b"avcC", b"\1\x4d\x40\x1f\xff\xe0\0"))), NONE, 0)
SLICE, SETTINGS = 5, 7


def unit(kind: int, size: int) -> bytes:
    content = bytes([kind]) + bytes(index % 251 for index in range(size - 1))
    return len(content).to_bytes(4, "big") + content


def run_of(track: Track, *samples: bytes) -> Run:
    return Run(track, 0, tuple(Sample(1, 0, 0, data) for data in samples))


def opened(data: bytes, vector: int, parts: list[tuple[int, int]]) -> bytes:
    step = Cipher(AES(KEY), CTR(vector.to_bytes(8, "big") + bytes(8))).decryptor()
    clear, at = b"", 0
    for open_bytes, secret in parts:
        clear += data[at : at + open_bytes] + step.update(data[at + open_bytes : at + open_bytes + secret])
        at += open_bytes + secret
    assert at == len(data)
    return clear


def parts_of(senc: Box) -> list[list[tuple[int, int]]]:
    content, found, at = senc.content, [], 8
    for _ in range(int.from_bytes(content[4:8], "big")):
        count, at = int.from_bytes(content[at + 8 : at + 10], "big"), at + 10
        fields = [content[at + 6 * number : at + 6 * number + 6] for number in range(count)]
        found.append([(int.from_bytes(field[:2], "big"), int.from_bytes(field[2:], "big")) for field in fields])
        at += 6 * count
    return found


def test_sounds_are_encrypted_whole_each_with_the_next_vector() -> None:
    secret, _ = encrypted(run_of(SOUND, b"one" * 9, b"two" * 5), CENC, done=100)
    assert [opened(one.data, 105 + n, [(0, len(one.data))]) for n, one in enumerate(secret.samples)] == [
        b"one" * 9,
        b"two" * 5,
    ]


@given(st.lists(st.tuples(st.sampled_from([1, SLICE, 6, SETTINGS, 9]), st.integers(1, 3000)), min_size=1, max_size=6))
def test_pictures_come_back_whatever_they_are_made_of(units: list[tuple[int, int]]) -> None:
    data = b"".join(unit(kind, size) for kind, size in units)
    secret, (_, _, senc) = encrypted(run_of(PICTURE, data), CENC, done=0)
    [parts] = parts_of(senc)
    assert opened(secret.samples[0].data, 5, parts) == data
    assert all(size % 16 == 0 for _, size in parts)


def test_only_the_bodies_of_slices_are_hidden() -> None:
    data = unit(SETTINGS, 500) + unit(SLICE, 1000)
    secret, (_, _, senc) = encrypted(run_of(PICTURE, data), CENC, done=0)
    readable = len(unit(SETTINGS, 500)) + 4 + CLEAR
    assert secret.samples[0].data[:readable] == data[:readable]
    assert secret.samples[0].data[readable + 16 :] != data[readable + 16 :]
    assert sum(size for _, size in parts_of(senc)[0]) >= 1000 - CLEAR - 16


def test_much_that_is_readable_is_told_in_several_parts() -> None:
    _, (_, _, senc) = encrypted(run_of(PICTURE, unit(6, 150_000) + unit(SLICE, 200)), CENC, done=0)
    assert [clear for clear, _ in parts_of(senc)[0]][:2] == [0xFFFF, 0xFFFF]


@pytest.mark.parametrize("number", [0, 1, 239])
def test_tracks_are_far_apart(number: int) -> None:
    assert CENC.of_track(number).first == 5 + number * STRIDE


def test_vectors_go_round_at_their_end() -> None:
    last = Cenc(KEY, UUID(int=7), first=(1 << 64) - 1)
    secret, _ = encrypted(run_of(SOUND, b"a" * 20, b"b" * 20), last, done=0)
    assert opened(secret.samples[1].data, 0, [(0, 20)]) == b"b" * 20


def test_a_key_is_shown_to_nobody() -> None:
    assert str(list(KEY)) not in repr(CENC)
    assert repr(KEY) not in repr(CENC)
