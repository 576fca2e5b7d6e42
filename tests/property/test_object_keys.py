"""Whatever a key looks like, and whatever is done to the directory meanwhile, an object lands in its bucket or nowhere."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from controlplane.storage.files import FileBucket, staging_key
from shared.errors import InvalidField, TranscoderError
from shared.jobspec.fields import ObjectKey
from tests.soak import times

SEGMENTS = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(categories=("Cs", "Cc", "Cf", "Mn", "Zs", "So")), max_size=6),
    st.sampled_from(
        ["..", ".", "", "...", "..%2f", "%2e%2e", "..\\", "\u202e..", "..\u202e", "e\u0301", "\u00e9", "\uff0e\uff0e",
         "\u2024\u2024", "\uff0f", "\u2215", "~", "-rf", ".transcoder", "..;", "a\0b", "con", "x" * 300]
    ),
)  # fmt: skip
KEYS = st.lists(SEGMENTS, min_size=1, max_size=5).map("/".join)
LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, RENAME_EXCHANGE = -100, 2
CHECKED: TypeAdapter[str] = TypeAdapter(ObjectKey)


@contextlib.contextmanager
def a_bucket() -> Iterator[tuple[FileBucket, Path]]:
    """And a directory around it in which nothing may ever appear."""
    with TemporaryDirectory() as folder:
        bucket = FileBucket(Path(folder) / "outside" / "bucket")
        bucket.create()
        yield bucket, Path(folder)


def put(bucket: FileBucket, key: str, content: bytes = b"x") -> None:
    upload = bucket.upload(key, "upload", offset=0)
    try:
        upload.write(content)
        upload.finish()
    finally:
        upload.close()


def strangers(bucket: FileBucket, folder: Path) -> list[Path]:
    inside = {folder / "outside", bucket.root}
    return [path for path in folder.rglob("*") if path not in inside and bucket.root not in path.parents]


@settings(max_examples=times(300, 20_000), deadline=None)
@given(KEYS)
def test_no_key_writes_outside_of_its_bucket(key: str) -> None:
    """Not even one that nobody has checked."""
    with a_bucket() as (bucket, folder):
        with contextlib.suppress(TranscoderError, OSError):
            put(bucket, key)
        assert strangers(bucket, folder) == []


@settings(max_examples=times(300, 20_000), deadline=None)
@given(KEYS)
def test_a_key_that_is_taken_names_one_object_and_is_listed_as_it_was_named(key: str) -> None:
    try:
        checked = CHECKED.validate_python(key)
    except (ValidationError, UnicodeError):
        return
    with a_bucket() as (bucket, folder):
        if any(len(segment.encode()) > 255 for segment in checked.split("/")):
            with pytest.raises(InvalidField):
                put(bucket, checked)
            return
        put(bucket, checked)
        assert [found.key for found in bucket.keys("", "", 10)] == [checked]
        assert strangers(bucket, folder) == []


def exchange(one: Path, other: Path) -> None:
    """Both names change what they stand for in one step."""
    done = LIBC.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    assert done == 0, os.strerror(ctypes.get_errno())


@pytest.mark.parametrize("way", ["upload", "publish"])
def test_a_folder_that_becomes_a_link_while_it_is_written_to_leads_nowhere(tmp_path: Path, way: str) -> None:
    bucket, outside = FileBucket(tmp_path / "bucket"), tmp_path / "outside"
    bucket.create()
    outside.mkdir()
    (bucket.root / "folder").mkdir()
    os.symlink(outside, bucket.root / "link")
    is_over, swaps = threading.Event(), 0

    def swap() -> None:
        """The name stands for a folder, for a link out of the bucket, and for the folder again."""
        nonlocal swaps
        while not is_over.is_set():
            exchange(bucket.root / "folder", bucket.root / "link")
            swaps += 1

    attacker = threading.Thread(target=swap)
    attacker.start()
    written = 0
    try:
        for number in range(times(300, 3000)):
            with contextlib.suppress(TranscoderError, OSError):
                if way == "upload":
                    put(bucket, f"folder/{number}")
                else:
                    put(bucket, f"{staging_key('attempt')}/{number}")
                    bucket.publish(f"{staging_key('attempt')}/{number}", bucket, f"folder/{number}")
                written += 1
    finally:
        is_over.set()
        attacker.join()
    assert list(outside.iterdir()) == []
    assert written
    assert swaps
