"""Tenants' buckets and the objects in them."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote
from weakref import WeakValueDictionary

from pydantic import TypeAdapter, ValidationError

from controlplane.auth.principal import Principal
from controlplane.domain.permissions import Action
from controlplane.services.acting import also
from controlplane.services.files import JobFiles
from controlplane.storage.files import FileBucket, ObjectInfo
from controlplane.storage.links import Link, Links
from controlplane.storage.uploads import Upload
from controlplane.store.operations import dispatch, quotas, resources
from controlplane.store.port import Store
from controlplane.store.records import Bucket
from shared.clock import Clock
from shared.errors import AlreadyExists, InvalidField, LinkRefused, NotFound, QuotaExceeded
from shared.ids import Attempt, NodeId, TaskId, TenantId
from shared.jobspec.fields import BucketName

CHECK_LIFETIME = 120.0
CHECK_SIZE = 256 * 1024
"""Bytes."""
_NAME: Final[TypeAdapter[str]] = TypeAdapter(BucketName)
UPLOAD_LIFETIME = 24 * 3600.0
"""Seconds for which an upload may be begun and resumed."""


class Buckets:
    def __init__(
        self,
        store: Store,
        links: Links,
        clock: Clock,
        roots: Sequence[Path],
        link_lifetime: float,
        *,
        create_on_first_use: bool = False,
    ) -> None:
        self._store = store
        self._links = links
        self._clock = clock
        self._roots = [_absolute(root) for root in roots]
        self._link_lifetime = link_lifetime
        self._create_on_first_use = create_on_first_use
        self._checks = FileBucket(self._roots[0] / ".node-checks")
        self._listing: WeakValueDictionary[TenantId, asyncio.Lock] = WeakValueDictionary()
        self._receiving: WeakValueDictionary[str, Upload] = WeakValueDictionary()

    async def create(self, tenant_id: TenantId, name: str, root: str | None) -> Bucket:
        """A directory below one of the operator's roots; by default `<first root>/<tenant>/<name>`.

        Raises InvalidField when it lies elsewhere, belongs to another bucket, or cannot be written.
        """
        path = _absolute(root) if root is not None else self._roots[0] / tenant_id / name
        home = next((allowed for allowed in self._roots if path.is_relative_to(allowed)), None)
        if home is None or not (path / "x").parts[len(home.parts) :][0] == tenant_id:
            raise InvalidField(f"A bucket's directory lies at <bucket root>/{tenant_id}/….", pointer="/root")
        with suppress(NotFound):
            await self.get(tenant_id, name)
            raise AlreadyExists(f"There is a bucket {name!r} already.", pointer="/name")
        if await self._store.read(resources.is_taken(path)):
            raise InvalidField("Another bucket lies in this directory.", pointer="/root")
        files = FileBucket(path)
        await asyncio.to_thread(files.create)
        try:
            return await self._store.write(
                resources.add_bucket(tenant_id, name, "file", str(path), self._clock.now_ms())
            )
        except QuotaExceeded:
            await asyncio.to_thread(files.unmake)
            raise

    async def ensure(self, principal: Principal, name: str) -> None:
        """That a bucket which is named is there. Raises InvalidField where it is not and may not be made, and Forbidden."""
        if not await self.is_there(principal, name):
            with suppress(AlreadyExists), also("create_bucket"):
                await self.create(principal.tenant, name, None)

    async def is_there(self, principal: Principal, name: str) -> bool:
        """Or else may be made by being named. Raises InvalidField when it may not, and Forbidden."""
        try:
            await self.get(principal.tenant, name)
        except NotFound as error:
            if not self._create_on_first_use:
                raise InvalidField(f"There is no bucket {name!r}.") from error
        else:
            return True
        principal.check(Action.BUCKETS_CREATE, (f"bucket/{name}",))
        try:
            _NAME.validate_python(name)
        except ValidationError as error:
            raise InvalidField("A bucket's name begins and ends with a letter or a digit.") from error
        return False

    async def get(self, tenant_id: TenantId, name: str) -> Bucket:
        return await self._store.read(resources.bucket(tenant_id, name))

    async def page(self, tenant_id: TenantId, after: str, size: int) -> list[Bucket]:
        return await self._store.read(resources.buckets(tenant_id, after, size))

    async def delete(self, tenant_id: TenantId, name: str) -> None:
        await self._store.write(resources.delete_bucket(tenant_id, name, self._clock.now_ms()))

    async def files(self, tenant_id: TenantId, name: str) -> FileBucket:
        return FileBucket(Path((await self.get(tenant_id, name)).root))

    async def objects(self, tenant_id: TenantId, name: str, prefix: str, after: str, size: int) -> Listed:
        """One list of a tenant at a time: a directory of very many files takes long, and threads from everybody."""
        bucket = await self.files(tenant_id, name)

        def listed() -> Listed:
            began = self._clock.worked()
            return Listed(bucket.keys(prefix, after, size), self._clock.worked() - began)

        async with self._listing.setdefault(tenant_id, asyncio.Lock()):
            return await asyncio.to_thread(listed)

    async def delete_object(self, tenant_id: TenantId, name: str, key: str) -> None:
        bucket = await self.files(tenant_id, name)
        size = await asyncio.to_thread(bucket.delete, key)
        await self._store.write(quotas.forget_bytes(tenant_id, size))

    async def upload_link(self, tenant_id: TenantId, name: str, key: str) -> str:
        await self.get(tenant_id, name)
        return self._links.sign("put", tenant_id, name, key, seconds=UPLOAD_LIFETIME)

    async def download_link(self, tenant_id: TenantId, name: str, key: str) -> str:
        """For one object, or for everything below a key that ends with "/": what a player needs."""
        bucket = await self.files(tenant_id, name)
        if not key.endswith("/") and bucket.stat(key) is None:
            raise NotFound("object")
        return self._links.sign("get", tenant_id, name, key, seconds=self._link_lifetime)

    async def check_link(self, node_id: NodeId) -> str:
        """Under which a node tries whether storage can be reached: one small object of its own, on the disk of the buckets."""
        await asyncio.to_thread(self._checks.create)
        return self._links.sign("check", TenantId(""), "", node_id, seconds=CHECK_LIFETIME)

    def output_links(self, files: JobFiles, produced: Sequence[tuple[str, str]]) -> list[str]:
        """Paths for (key, role) of objects that a job made. All share a prefix, so that names in playlists resolve."""
        lifetime = self._link_lifetime
        tenant_id, output, thumbnails = files.tenant_id, files.output_bucket, files.thumbnail_bucket
        folders = [os.path.dirname(key) for key, role in produced if role != "thumbnail"]
        common = os.path.commonpath(folders) if folders else ""
        links = []
        for key, role in produced:
            if role == "thumbnail":
                links.append(self._links.sign("get", tenant_id, thumbnails, key, seconds=lifetime))
            elif common:
                base = self._links.sign("get", tenant_id, output, f"{common}/", seconds=lifetime)
                links.append(base + quote(key.removeprefix(f"{common}/")))
            else:
                links.append(self._links.sign("get", tenant_id, output, key, seconds=lifetime))
        return links

    async def followed(self, token: str, key: str, *, to_read: bool) -> Followed:
        """What a signed link leads to. Raises LinkRefused when the link does not allow that."""
        link = self._links.read(token)
        if link.action == "check" and link.covers(key):
            return Followed(link, self._checks, CHECK_SIZE)
        if (link.action == "get") is not to_read or not link.covers(key):
            raise LinkRefused("This link does not allow that.")
        if link.action == "stage":
            return Followed(link, await self._staging(link.key))
        return Followed(link, await self.files(link.tenant_id, link.bucket))

    async def _staging(self, staged: str) -> FileBucket:
        """A node may upload for as long as it holds the lease that the link was made for. Raises StaleLease.

        To where the job was to write when it was submitted: a tenant that has forgotten the bucket since makes no node fail.
        """
        task_id, _, attempt = staged.split("/")[-2].rpartition(".")
        files = await self._store.read(dispatch.files_of_lease(TaskId(task_id), Attempt(int(attempt))))
        return JobFiles.model_validate_json(files).staging

    async def expect(self, followed: Followed, size: int) -> None:
        """Sets aside so many bytes of its tenant's for an upload. Raises QuotaExceeded.

        What a node puts into staging is counted when it is to become visible.
        """
        link = followed.link
        if link.action == "put":
            now = self._clock.now_ms()
            await self._store.write(quotas.expect_upload(link.tenant_id, followed.upload_id, size, now))

    async def finish(self, followed: Followed, upload: Upload, size: int) -> None:
        """Makes an upload visible, once it is whole."""
        await self.expect(followed, size)
        replaced = await asyncio.to_thread(upload.finish)
        if followed.link.action == "put":
            await self._store.write(quotas.end_upload(followed.link.tenant_id, followed.upload_id, replaced))

    def receive(self, followed: Followed, key: str, *, offset: int) -> Upload:
        """Begins an upload, or goes on with it: an older connection that still sends it has been given up by its client."""
        earlier = self._receiving.get(followed.upload_id)
        if earlier is not None:
            earlier.close()
        upload = followed.bucket.upload(key, followed.upload_id, offset=offset)
        self._receiving[followed.upload_id] = upload
        return upload


class Listed(NamedTuple):
    """Objects, and the seconds of work that it took to find them."""

    objects: list[ObjectInfo]
    seconds: float


class Followed(NamedTuple):
    link: Link
    bucket: FileBucket
    most: int | None = None
    """Bytes, where the link itself bounds them."""

    @property
    def upload_id(self) -> str:
        """One unfinished upload per link: the same link resumes it."""
        return hashlib.sha256("\0".join(map(str, self.link)).encode()).hexdigest()


def _absolute(path: str | Path) -> Path:
    """Without dots, by its words alone: the file system is not asked."""
    return Path(os.path.abspath(path))
