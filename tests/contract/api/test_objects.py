"""Files by signed links: in whole, in parts, resumed, and never outside of what the link says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from controlplane.http.keys import BUCKETS
from tests.builders import eventually
from tests.contract.api.service import Answer, Caller, Service

CONTENT = bytes(range(256)) * 20


async def put(service: Service, url: str, content: bytes, **headers: str) -> Answer:
    return await service.call("PUT", url, content=content, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def upload_link(tenant: Caller, key: str = "a/movie.mp4") -> str:
    url: str = (await tenant.post("/v1/buckets/bucket/uploads", {"key": key})).json["url"]
    return url


async def link(tenant: Caller, key: str) -> str:
    url: str = (await tenant.post("/v1/buckets/bucket/links", {"key": key})).json["url"]
    return url


@pytest.fixture(autouse=True)
async def bucket(tenant: Caller) -> None:
    assert (await tenant.post("/v1/buckets", {"name": "bucket"})).status == 201


class TestDownloads:
    async def test_an_object_comes_back_as_it_went(self, tenant: Caller) -> None:
        assert (await tenant.upload("a/movie.mp4", CONTENT)).status == 201
        answer = await tenant.download("a/movie.mp4")
        assert (answer.status, answer.content) == (200, CONTENT)
        assert answer.headers["Content-Type"] == "video/mp4"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"

    @pytest.mark.parametrize(
        ("wanted", "part"),
        [("bytes=0-9", CONTENT[:10]), ("bytes=5000-", CONTENT[5000:]), ("bytes=-7", CONTENT[-7:])],
    )
    async def test_a_part_of_it(self, tenant: Caller, service: Service, wanted: str, part: bytes) -> None:
        await tenant.upload("movie.mp4", CONTENT)
        answer = await service.call("GET", await link(tenant, "movie.mp4"), headers={"Range": wanted})
        assert (answer.status, answer.content) == (206, part)
        assert answer.headers["Content-Range"].endswith(f"/{len(CONTENT)}")

    async def test_a_part_that_is_not_there(self, tenant: Caller, service: Service) -> None:
        await tenant.upload("movie.mp4", CONTENT)
        answer = await service.call("GET", await link(tenant, "movie.mp4"), headers={"Range": "bytes=99999-"})
        assert answer.status == 416

    async def test_what_did_not_change_is_not_sent_again(self, tenant: Caller, service: Service) -> None:
        await tenant.upload("movie.mp4", CONTENT)
        url = await link(tenant, "movie.mp4")
        tag = (await service.call("GET", url)).headers["ETag"]
        assert (await service.call("GET", url, headers={"If-None-Match": tag})).status == 304

    @pytest.mark.parametrize("key", ["page.html", "script.js", "note.txt", "picture.svg"])
    async def test_no_browser_takes_a_tenants_file_for_a_page_of_ours(self, tenant: Caller, key: str) -> None:
        await tenant.upload(key, b"<script>alert(1)</script>")
        answer = await tenant.download(key)
        assert answer.headers["Content-Security-Policy"] == "sandbox"
        assert not answer.headers["Content-Type"].startswith("text/html")

    async def test_a_link_of_a_prefix_opens_what_lies_below_and_nothing_else(
        self, tenant: Caller, service: Service
    ) -> None:
        for key in ("hls/index.m3u8", "hls/low/1.ts", "other.mp4", "hls2/x"):
            await tenant.upload(key, key.encode())
        base = await link(tenant, "hls/")
        assert (await service.call("GET", base + "index.m3u8")).content == b"hls/index.m3u8"
        assert (await service.call("GET", base + "low/1.ts")).content == b"hls/low/1.ts"
        assert (await service.call("GET", base + "none")).code == "not_found"
        for other in ("other.mp4", "hls2/x", "hls"):
            assert (await service.call("GET", base.replace("/hls/", f"/{other}"))).code == "link_refused"

    @pytest.mark.parametrize(
        "escape",
        [
            "%2e%2e/other.mp4",
            "..%2fother.mp4",
            "%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2ftranscoder.db",
            "%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret.key",
            "x/%2e%2e/%2e%2e/other.mp4",
            ".%2e/.transcoder",
            "%00",
            "x%00/y",
            "%ff",
            "%ED%A0%80",
            "%2f%2fetc/passwd",
            "%2e",
        ],
    )
    async def test_no_path_leads_out_of_a_prefix(self, tenant: Caller, service: Service, escape: str) -> None:
        await tenant.upload("other.mp4", b"other")
        await tenant.upload("a/b", b"b")
        base = await link(tenant, "a/")
        for method in ("GET", "HEAD"):
            answer = await service.call(method, base + escape)
            assert answer.status in (400, 403, 404), answer.content

    async def test_a_planted_link_is_not_followed(self, tenant: Caller, service: Service) -> None:
        root = service.state / "buckets" / str(tenant.tenant_id) / "bucket"
        (root / "a").mkdir()
        (root / "a" / "db").symlink_to(service.state / "transcoder.db")
        base = await link(tenant, "a/")
        assert (await service.call("GET", base + "db")).code == "not_found"

    async def test_a_link_ends(self, tenant: Caller, service: Service) -> None:
        await tenant.upload("movie.mp4", CONTENT)
        url = await link(tenant, "movie.mp4")
        service.clock.pass_seconds(3599.9)
        assert (await service.call("GET", url)).status == 200
        service.clock.pass_seconds(0.1)
        assert (await service.call("GET", url)).code == "link_refused"

    async def test_a_link_that_was_tampered_with_opens_nothing_else(self, tenant: Caller, service: Service) -> None:
        await tenant.upload("movie.mp4", CONTENT)
        url = await link(tenant, "movie.mp4")
        token = urlsplit(url).path.split("/")[2]
        for place in range(len(token)):
            other = "A" if token[place] != "A" else "B"
            tampered = url.replace(token, token[:place] + other + token[place + 1 :])
            answer = await service.call("GET", tampered)
            assert (answer.status == 200 and answer.content == CONTENT) or answer.status in (403, 404)

    async def test_a_link_to_read_does_not_write_and_one_to_write_does_not_read(
        self, tenant: Caller, service: Service
    ) -> None:
        await tenant.upload("movie.mp4", CONTENT)
        assert (await put(service, await link(tenant, "movie.mp4"), b"x")).code == "link_refused"
        assert (await service.call("GET", await upload_link(tenant, "movie.mp4"))).code == "link_refused"
        assert (await tenant.download("movie.mp4")).content == CONTENT

    async def test_there_is_no_link_to_nothing(self, tenant: Caller) -> None:
        for key in ("none", "", "../x", ".transcoder/staging/x", "a//b"):
            assert (await tenant.post("/v1/buckets/bucket/links", {"key": key})).status in (400, 404)


class TestUploads:
    async def test_an_upload_goes_on_where_it_broke_off(self, tenant: Caller, service: Service) -> None:
        url = await upload_link(tenant)
        total = len(CONTENT)
        first = await put(service, url, CONTENT[:1000], Content_Range=f"bytes 0-999/{total}")
        assert (first.status, first.headers["Upload-Offset"]) == (202, "1000")
        assert await tenant.keys() == []
        asked = await service.call("HEAD", url)
        assert (asked.status, asked.headers["Upload-Offset"]) == (200, "1000")
        rest = await put(service, url, CONTENT[1000:], Content_Range=f"bytes 1000-{total - 1}/{total}")
        assert rest.status == 201
        assert (await tenant.download("a/movie.mp4")).content == CONTENT

    async def test_a_connection_that_breaks_leaves_nothing_visible_and_what_came_can_be_gone_on_with(
        self, tenant: Caller, service: Service
    ) -> None:
        url = await upload_link(tenant)
        await broken_put(service, url, CONTENT[:3000], len(CONTENT))
        assert await tenant.keys() == []
        total = len(CONTENT)
        start = int((await service.call("HEAD", url)).headers["Upload-Offset"])
        rest = await put(service, url, CONTENT[start:], Content_Range=f"bytes {start}-{total - 1}/{total}")
        assert rest.status == 201
        assert (await tenant.download("a/movie.mp4")).content == CONTENT

    async def test_a_newer_connection_takes_over_from_one_that_hangs(self, tenant: Caller, service: Service) -> None:
        url = await upload_link(tenant)
        hanging = asyncio.Event()

        async def some_then_nothing() -> AsyncIterator[bytes]:
            yield b"old" * 1000
            await hanging.wait()
            yield b"old" * 1000

        older = asyncio.create_task(service.call("PUT", url, content=some_then_nothing()))
        await eventually(lambda: len(service.app[BUCKETS]._receiving))
        assert (await put(service, url, CONTENT)).status == 201
        hanging.set()
        assert (await older).code == "in_use"
        assert (await tenant.download("a/movie.mp4")).content == CONTENT

    async def test_the_same_link_may_be_used_again(self, tenant: Caller, service: Service) -> None:
        url = await upload_link(tenant)
        assert (await put(service, url, b"first")).status == 201
        assert (await put(service, url, b"second")).status == 201
        assert (await tenant.download("a/movie.mp4")).content == b"second"

    @pytest.mark.parametrize(
        ("value", "code"),
        [
            ("bytes 0-9", "invalid_field"),
            ("bytes x-y/z", "invalid_field"),
            (f"bytes 0-9/{'9' * 5000}", "invalid_field"),
            ("bytes 9-0/10", "range_not_satisfiable"),
            ("bytes 0-10/10", "range_not_satisfiable"),
            ("bytes 0-5/10", "range_not_satisfiable"),
            ("bytes 5-14/15", "invalid_field"),
        ],
    )
    async def test_a_range_that_does_not_fit_is_refused(
        self, tenant: Caller, service: Service, value: str, code: str
    ) -> None:
        answer = await put(service, await upload_link(tenant), b"x" * 10, Content_Range=value)
        assert answer.code == code
        assert await tenant.keys() == []

    async def test_an_object_that_is_too_large_is_refused(self, tenant: Caller, service: Service) -> None:
        url = await upload_link(tenant)
        limit = 100 * 1024**3
        answer = await put(service, url, b"x", Content_Range=f"bytes 0-0/{limit + 1}")
        assert answer.code == "too_large"

    async def test_another_key_is_not_written(self, tenant: Caller, service: Service) -> None:
        url = await upload_link(tenant, "a/movie.mp4")
        for other in ("a/other.mp4", "a/movie.mp4/x", "a/%2e%2e/movie.mp4"):
            assert (await put(service, url.replace("a/movie.mp4", other), b"x")).status in (403, 404)

    @pytest.mark.parametrize("key", ["a", "a/movie.mp4/below", "ü" * 200])
    async def test_a_key_that_cannot_be_is_a_refusal(self, tenant: Caller, service: Service, key: str) -> None:
        await tenant.upload("a/movie.mp4", CONTENT)
        assert (await tenant.upload(key, b"x")).status in (400, 409)
        assert (await tenant.download("a/movie.mp4")).content == CONTENT

    @pytest.mark.parametrize("key", ["a b", "ü/ö", "100%", "%2e%2e/x", "a?b#c", "a+b&c=d", "'\"<>", "é"])
    async def test_odd_keys_go_and_come(self, tenant: Caller, key: str) -> None:
        assert (await tenant.upload(key, CONTENT)).status == 201
        assert (await tenant.download(key)).content == CONTENT
        (stored,) = await tenant.keys()
        assert (await tenant.download(stored)).content == CONTENT

    async def test_no_upload_leaves_a_descriptor_open(self, tenant: Caller, service: Service) -> None:
        await tenant.upload("x", CONTENT)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            await tenant.upload("x", CONTENT)
            await tenant.download("x")
            await put(service, await upload_link(tenant), b"x" * 10, Content_Range="bytes 5-14/15")
        assert len(os.listdir("/proc/self/fd")) <= before + 1


class TestBuckets:
    async def test_objects_are_listed_by_prefix_and_page(self, tenant: Caller) -> None:
        keys = ["a.b", "a/b", "a/c/d", "a0", "b"]
        for key in reversed(keys):
            await tenant.upload(key, b"x")
        seen, token = [], ""
        while True:
            page = (await tenant.get(f"/v1/buckets/bucket/objects?page_size=2{token}")).json
            seen += [item["key"] for item in page["items"]]
            if not page["next_page_token"]:
                break
            token = f"&page_token={page['next_page_token']}"
        assert seen == keys
        below = await tenant.get("/v1/buckets/bucket/objects?prefix=a/")
        assert [item["key"] for item in below.json["items"]] == ["a/b", "a/c/d"]

    async def test_a_deleted_object_is_gone(self, tenant: Caller) -> None:
        await tenant.upload("a/b c", b"x")
        assert (await tenant.call("DELETE", "/v1/buckets/bucket/objects/a/b%20c")).status == 204
        assert (await tenant.call("DELETE", "/v1/buckets/bucket/objects/a/b%20c")).code == "not_found"

    async def test_a_bucket_in_use_stays_and_its_files_outlive_it(self, tenant: Caller, service: Service) -> None:
        pipeline = await tenant.pipeline()
        await tenant.upload("x", b"x")
        assert (await tenant.call("DELETE", "/v1/buckets/bucket")).code == "in_use"
        await tenant.call("DELETE", f"/v1/pipelines/{pipeline}")
        assert (await tenant.call("DELETE", "/v1/buckets/bucket")).status == 204
        assert (await tenant.get("/v1/buckets/bucket")).code == "not_found"
        assert (await tenant.post("/v1/buckets", {"name": "bucket"})).status == 201
        assert await tenant.keys() == ["x"]

    @pytest.mark.parametrize(
        "root",
        [
            "/etc",
            "{roots}",
            "{roots}/other/x",
            "{roots}/{tenant}/../other/x",
            "{roots}/{tenant}/bucket/below",
            "{roots}/{tenant}",
            "{roots}/{tenant}/new\0",
            "{roots}/{tenant}/new\n",
        ],
    )
    async def test_a_directory_of_others_is_refused(self, tenant: Caller, service: Service, root: str) -> None:
        place = root.format(roots=service.state / "buckets", tenant=tenant.tenant_id)
        assert (await tenant.post("/v1/buckets", {"name": "sly", "root": place})).fault == (
            400,
            "invalid_field",
            "/root",
        )

    async def test_a_directory_of_ones_own_is_taken(self, tenant: Caller, service: Service) -> None:
        place = f"{service.state}/buckets/{tenant.tenant_id}/deep/below"
        assert (await tenant.post("/v1/buckets", {"name": "own", "root": place})).json["root"] == place
        assert (await tenant.post("/v1/buckets", {"name": "own"})).fault == (409, "already_exists", "/name")


async def broken_put(service: Service, url: str, some: bytes, promised: int) -> None:
    """Sends less than it says, and goes."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"PUT {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {promised}\r\n\r\n".encode() + some)
    await writer.drain()
    await eventually(lambda: len(service.app[BUCKETS]._receiving))
    writer.close()
    await writer.wait_closed()
    await eventually(lambda: not len(service.app[BUCKETS]._receiving))
    del reader
