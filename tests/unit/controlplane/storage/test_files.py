"""Directories as buckets: nothing outside is touched, and nothing is ever visible in part."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.storage import files
from controlplane.storage.files import FileBucket, staging_key
from shared.errors import AlreadyExists, InUse, InvalidField, NotFound, StorageFull, TranscoderError

ATTEMPT = "task.1"
SHM = Path("/dev/shm")


@pytest.fixture
def bucket(tmp_path: Path) -> FileBucket:
    return a_bucket(tmp_path / "bucket")


def a_bucket(root: Path) -> FileBucket:
    bucket = FileBucket(root)
    bucket.create()
    return bucket


def put(bucket: FileBucket, key: str, content: bytes = b"content") -> None:
    upload = bucket.upload(key, f"upload of {hash(key)}", offset=0)
    try:
        upload.write(content)
        upload.finish()
    finally:
        upload.close()


def content_of(bucket: FileBucket, key: str) -> bytes:
    with os.fdopen(bucket.open(key), "rb") as file:
        return file.read()


def stage(bucket: FileBucket, name: str, content: bytes = b"content") -> str:
    key = f"{staging_key(ATTEMPT)}/{name}"
    put(bucket, key, content)
    return key


def all_files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


def every_use(bucket: FileBucket, key: str) -> list[Callable[[], object]]:
    return [
        lambda: os.close(bucket.open(key)),
        lambda: bucket.delete(key),
        lambda: put(bucket, key),
        lambda: bucket.publish(stage(bucket, "staged"), bucket, key),
        lambda: bucket.publish(key, bucket, "published"),
    ]


class TestPaths:
    escapes = st.lists(
        st.sampled_from(["..", ".", "", "a", "..%2f", "...", "secret", "outside", "\0", "\udcff", "a" * 300, "‮"]),
        min_size=1,
        max_size=6,
    ).map("/".join)

    @given(key=escapes | st.text(max_size=20))
    def test_no_key_reaches_anything_outside(self, tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
        world = tmp_path_factory.mktemp("world")
        (world / "outside").mkdir()
        (world / "outside" / "secret").write_text("secret")
        bucket = a_bucket(world / "bucket")
        before = all_files(world / "outside")
        for use in every_use(bucket, key):
            try:
                use()
            except (TranscoderError, AssertionError):
                continue
        assert all_files(world / "outside") == before
        assert (world / "outside" / "secret").read_text() == "secret"
        assert {path.name for path in world.iterdir()} == {"outside", "bucket"}

    @pytest.mark.parametrize(
        "key", ["../secret", "a/../../secret", "a/../../../secret", "..", "a/./b", "a//b", "/etc/passwd", ""]
    )
    def test_dots_and_empty_segments_name_nothing(self, bucket: FileBucket, key: str) -> None:
        (bucket.root.parent / "secret").write_text("secret")
        put(bucket, "a/b")
        with pytest.raises(NotFound):
            bucket.open(key)
        with pytest.raises(TranscoderError):
            put(bucket, key)

    @pytest.mark.parametrize("level", range(3))
    def test_a_link_planted_at_any_level_is_not_followed(self, bucket: FileBucket, level: int) -> None:
        outside = bucket.root.parent / "outside"
        (outside / "b" / "c").mkdir(parents=True)
        (outside / "b" / "c" / "file").write_text("secret")
        segments = ["a", "b", "c"]
        parent = bucket.root.joinpath(*segments[:level])
        parent.mkdir(parents=True, exist_ok=True)
        (parent / segments[level]).symlink_to(outside.joinpath(*segments[1 : level + 1]))
        before = all_files(outside)
        for use in every_use(bucket, "a/b/c/file"):
            with pytest.raises(TranscoderError):
                use()
        assert all_files(outside) == before
        assert bucket.keys("a", "", 100) == []

    def test_a_link_in_the_place_of_an_object_is_no_object(self, bucket: FileBucket) -> None:
        secret = bucket.root.parent / "secret"
        secret.write_text("secret")
        (bucket.root / "object").symlink_to(secret)
        with pytest.raises(NotFound):
            bucket.open("object")
        assert bucket.keys("", "", 100) == []
        with pytest.raises(AlreadyExists):
            bucket.publish(stage(bucket, "staged"), bucket, "object")
        put(bucket, "object", b"new")
        assert secret.read_text() == "secret"
        assert content_of(bucket, "object") == b"new"

    def test_pipes_and_directories_are_no_objects(self, bucket: FileBucket) -> None:
        os.mkfifo(bucket.root / "pipe")
        (bucket.root / "folder").mkdir()
        for key in ("pipe", "folder"):
            with pytest.raises(NotFound):
                bucket.open(key)
        with pytest.raises(NotFound):
            bucket.delete("folder")

    def test_no_use_leaves_a_descriptor_open(self, bucket: FileBucket) -> None:
        put(bucket, "a/b")
        before = len(os.listdir("/proc/self/fd"))
        for key in ("a/b", "a/b/c", "a/none", "../x", "a", "x" * 300):
            for use in every_use(bucket, key):
                try:
                    use()
                except TranscoderError:
                    continue
        assert len(os.listdir("/proc/self/fd")) == before


class TestUploads:
    def test_an_object_appears_whole_or_not_at_all(self, bucket: FileBucket) -> None:
        upload = bucket.upload("a/b", "id", offset=0)
        upload.write(b"half")
        assert bucket.stat("a/b") is None
        assert bucket.keys("", "", 10) == []
        upload.write(b" and half")
        upload.finish()
        upload.close()
        assert content_of(bucket, "a/b") == b"half and half"

    def test_an_upload_goes_on_where_it_was(self, bucket: FileBucket) -> None:
        first = bucket.upload("key", "id", offset=0)
        first.write(b"hello wor")
        first.close()
        assert bucket.received("id") == 9
        second = bucket.upload("key", "id", offset=6)
        second.write(b"there")
        second.finish()
        second.close()
        assert content_of(bucket, "key") == b"hello there"
        assert bucket.received("id") == 0

    def test_an_upload_leaves_no_gap(self, bucket: FileBucket) -> None:
        with pytest.raises(InvalidField, match="Only 0 bytes"):
            bucket.upload("key", "id", offset=5)

    def test_two_connections_do_not_write_into_one_upload(self, bucket: FileBucket) -> None:
        first = bucket.upload("key", "id", offset=0)
        first.write(b"first")
        with pytest.raises(InUse):
            bucket.upload("key", "id", offset=0)
        first.finish()
        first.close()
        assert content_of(bucket, "key") == b"first"
        second = bucket.upload("key", "id", offset=0)
        second.write(b"new")
        assert content_of(bucket, "key") == b"first"
        second.finish()
        second.close()
        assert content_of(bucket, "key") == b"new"

    def test_closing_twice_closes_once(self, bucket: FileBucket) -> None:
        upload = bucket.upload("key", "id", offset=0)
        upload.close()
        other = os.open("/dev/null", os.O_RDONLY)
        upload.close()
        os.fstat(other)
        os.close(other)

    def test_nothing_is_written_after_closing(self, bucket: FileBucket) -> None:
        upload = bucket.upload("key", "id", offset=0)
        upload.close()
        with (bucket.root.parent / "innocent").open("w+b") as innocent:
            with pytest.raises(TranscoderError):
                upload.write(b"stray")
            with pytest.raises(TranscoderError):
                upload.finish()
            assert innocent.read() == b""

    def test_a_full_disk_is_told_as_such(self, bucket: FileBucket, monkeypatch: pytest.MonkeyPatch) -> None:
        upload = bucket.upload("key", "id", offset=0)

        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(files.os, "write", full)
        with pytest.raises(StorageFull):
            upload.write(b"x")
        upload.close()

    @pytest.mark.parametrize("key", ["folder", "object/below"])
    def test_an_upload_takes_the_place_of_no_folder_and_lies_below_no_object(
        self, bucket: FileBucket, key: str
    ) -> None:
        put(bucket, "folder/inside")
        put(bucket, "object")
        with pytest.raises(AlreadyExists):
            put(bucket, key)
        assert content_of(bucket, "folder/inside") == content_of(bucket, "object") == b"content"

    def test_a_name_that_the_file_system_cannot_hold_is_refused(self, bucket: FileBucket) -> None:
        for key in ("x" * 300, f"{'x' * 300}/file"):
            with pytest.raises(InvalidField, match="too long"):
                put(bucket, key)

    def test_uploads_that_nobody_goes_on_with_are_forgotten(self, bucket: FileBucket) -> None:
        for name in ("old", "new"):
            bucket.upload("key", name, offset=0).close()
        os.utime(bucket.root / ".transcoder" / "uploads" / "old", (1000, 1000))
        bucket.forget_uploads(2000)
        assert os.listdir(bucket.root / ".transcoder" / "uploads") == ["new"]


class TestPublishing:
    def test_what_is_staged_becomes_visible_under_its_key(self, bucket: FileBucket) -> None:
        bucket.publish(stage(bucket, "staged"), bucket, "a/b/c")
        assert content_of(bucket, "a/b/c") == b"content"

    def test_publishing_again_changes_nothing(self, bucket: FileBucket) -> None:
        staged = stage(bucket, "staged")
        bucket.publish(staged, bucket, "key")
        bucket.publish(staged, FileBucket(bucket.root), "key")
        assert content_of(bucket, "key") == b"content"

    def test_another_object_of_that_key_stays(self, bucket: FileBucket) -> None:
        put(bucket, "key", b"older")
        with pytest.raises(AlreadyExists):
            bucket.publish(stage(bucket, "staged"), bucket, "key")
        assert content_of(bucket, "key") == b"older"

    def test_the_staged_name_cannot_leave_its_bucket(self, bucket: FileBucket) -> None:
        (bucket.root.parent / "secret").write_text("secret")
        with pytest.raises(NotFound):
            bucket.publish(f"{staging_key(ATTEMPT)}/../../../../secret", bucket, "stolen")
        assert bucket.stat("stolen") is None

    def test_into_another_bucket_and_again(self, bucket: FileBucket, tmp_path: Path) -> None:
        other = a_bucket(tmp_path / "other")
        staged = stage(bucket, "staged")
        for _ in range(2):
            bucket.publish(staged, other, "key")
            assert content_of(other, "key") == b"content"
            assert bucket.is_same(staged, other, "key") is True

    def test_onto_another_file_system_it_is_copied_whole_and_once(
        self, bucket: FileBucket, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        assert SHM.stat().st_dev != bucket.root.stat().st_dev
        name = f"transcoder-test-{os.getpid()}"
        other = a_bucket(SHM / name)
        try:
            staged = stage(bucket, "staged", b"x" * 3_000_000)
            put(other, ".key.part", b"a tenant's own")
            for _ in range(2):
                bucket.publish(staged, other, "key")
                assert content_of(other, "key") == b"x" * 3_000_000
                assert bucket.is_same(staged, other, "key") is True
            assert [info.key for info in other.keys("", "", 10)] == [".key.part", "key"]
            assert content_of(other, ".key.part") == b"a tenant's own"
            put(other, "key", b"y" * 3_000_000)
            assert bucket.is_same(staged, other, "key") is False
            with pytest.raises(AlreadyExists):
                bucket.publish(staged, other, "key")
        finally:
            files.shutil.rmtree(SHM / name)

    def test_discarding_removes_an_attempt_and_no_other(self, bucket: FileBucket) -> None:
        stage(bucket, "staged")
        put(bucket, f"{staging_key('task.2')}/staged")
        bucket.discard(ATTEMPT)
        assert bucket.staged_attempts() == ["task.2"]


class TestListing:
    KEYS = ["a", "a.b", "a/b", "a/b.c", "a/b/c", "a0", "b", "ä/ö"]

    @pytest.fixture
    def full(self, bucket: FileBucket) -> FileBucket:
        for key in ("a.b", "a/b.c", "a/b/c", "a0", "b", "ä/ö"):
            put(bucket, key)
        return bucket

    def test_keys_come_in_the_order_of_their_bytes(self, full: FileBucket) -> None:
        keys = [info.key for info in full.keys("", "", 100)]
        assert keys == sorted(keys, key=str.encode)
        assert keys == ["a.b", "a/b.c", "a/b/c", "a0", "b", "ä/ö"]

    @pytest.mark.parametrize("size", [1, 2, 5])
    def test_pages_hold_every_key_once(self, full: FileBucket, size: int) -> None:
        seen: list[str] = []
        while page := full.keys("", seen[-1] if seen else "", size):
            seen += [info.key for info in page]
        assert seen == [info.key for info in full.keys("", "", 100)]

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("a", ["a.b", "a/b.c", "a/b/c", "a0"]),
            ("a/", ["a/b.c", "a/b/c"]),
            ("a/b/", ["a/b/c"]),
            ("x", []),
            ("a/b/c/d", []),
        ],
    )
    def test_a_prefix_narrows(self, full: FileBucket, prefix: str, expected: list[str]) -> None:
        assert [info.key for info in full.keys(prefix, "", 100)] == expected

    def test_what_is_not_published_is_not_listed(self, full: FileBucket) -> None:
        stage(full, "staged")
        assert not [info for info in full.keys("", "", 100) if ".transcoder" in info.key]
        assert full.keys(".transcoder/", "", 100) == []

    def test_names_that_are_no_text_are_passed_over(self, full: FileBucket) -> None:
        (Path(os.fsdecode(os.fsencode(full.root) + b"/\xff.mp4"))).write_text("latin")
        assert [info.key for info in full.keys("", "", 100)] == ["a.b", "a/b.c", "a/b/c", "a0", "b", "ä/ö"]

    def test_an_object_that_goes_away_meanwhile_hides_no_other(
        self, full: FileBucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(full, "aa")
        listing = full._walk("", "", "")
        assert next(listing).key == "a.b"
        os.unlink(full.root / "aa")
        assert [info.key for info in listing] == ["a/b.c", "a/b/c", "a0", "b", "ä/ö"]


def test_a_directory_that_cannot_be_made_is_refused_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidField) as refused:
        FileBucket(tmp_path / "file" / "below").create()
    assert str(tmp_path) not in refused.value.detail
