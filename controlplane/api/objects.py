"""/objects: files by signed links. The link is the permission; there is no other."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import re
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from controlplane.http.finishing import to_its_end
from controlplane.http.keys import BUCKETS, SETTINGS
from controlplane.http.reading import refuse_encoding
from controlplane.services.buckets import Followed
from controlplane.storage.uploads import Upload
from shared.errors import ErrorCode, InvalidField, TooLarge, TranscoderError

CHUNK: Final = 1024 * 1024
SENT: Final = 128 * 1024
"""What a reader who does not read may cost, in bytes."""
_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)
_TYPES: Final = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".ts": "video/mp2t",
    ".fmp4": "video/mp4",
    ".ismv": "video/mp4",
    ".ism": "application/smil+xml",
    ".ismc": "application/vnd.ms-sstr+xml",
    ".key": "application/octet-stream",
    ".mxf": "application/mxf",
}


def routes() -> list[web.RouteDef]:
    return [
        web.get("/objects/{token}/{key:.+}", get),
        web.put("/objects/{token}/{key:.+}", put),
        web.options("/objects/{token}/{key:.+}", options),
    ]


async def get(request: web.Request) -> web.StreamResponse:
    """With Range, conditional requests and sendfile. HEAD on an upload link tells how much has arrived."""
    key = request.match_info["key"]
    if request.method == "HEAD" and (followed := await _upload_link(request, key)) is not None:
        received = followed.bucket.received(followed.upload_id)
        return web.Response(headers={"Upload-Offset": str(received), "Cache-Control": "no-store"})
    followed = await request.app[BUCKETS].followed(request.match_info["token"], key, to_read=True)
    return _OpenFile(followed.bucket.open(key), _headers(key))


class _OpenFile(web.FileResponse):
    """Serves a file that is open already: its path was walked with care, once. Closes it when it has been sent."""

    def __init__(self, descriptor: int, headers: dict[str, str]) -> None:
        super().__init__(f"/proc/self/fd/{descriptor}", chunk_size=SENT, headers=headers)
        self._descriptor = descriptor

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        try:
            return await super().prepare(request)
        finally:
            os.close(self._descriptor)


async def put(request: web.Request) -> web.Response:
    """The whole object, or with `Content-Range: bytes a-b/n` a part that goes on where the last one ended."""
    key = request.match_info["key"]
    buckets = request.app[BUCKETS]
    refuse_encoding(request)
    followed = await buckets.followed(request.match_info["token"], key, to_read=False)
    start, total = _content_range(request)
    limit = min(request.app[SETTINGS].max_object_size, followed.most or sys.maxsize)
    if (total or request.content_length or 0) > limit:
        raise TooLarge(f"Objects have at most {limit} bytes.")
    expected = total if total is not None else request.content_length
    if expected is not None:
        await buckets.expect(followed, expected)
    upload = await asyncio.to_thread(buckets.receive, followed, key, offset=start)
    try:
        room = None if expected is not None else partial(buckets.expect, followed)
        received = await _receive(request, upload, start, limit, room)
        if total is not None and received < total:
            return web.Response(status=202, headers={"Upload-Offset": str(received)})
        await to_its_end(buckets.finish(followed, upload, received))
    finally:
        await asyncio.to_thread(upload.close)  # after what a thread is still writing
    return web.Response(status=201, headers={"Upload-Offset": str(received)})


async def options(request: web.Request) -> web.Response:
    """Players in browsers live at other origins; a link is good wherever it is opened."""
    return web.Response(status=204, headers=_CORS)


_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, PUT",
    "Access-Control-Allow-Headers": "Range, Content-Range, Content-Type",
    "Access-Control-Expose-Headers": "Content-Range, Content-Length, Upload-Offset",
}


async def _receive(
    request: web.Request, upload: Upload, start: int, limit: int, room: Callable[[int], Awaitable[None]] | None
) -> int:
    """Writes the body in large pieces, each off the loop; how much of the object there is then.

    `room` is asked for before each piece, where nobody said how large the whole is.
    """
    received, pieces, held = start, bytearray(), 0
    async for chunk in request.content.iter_any():
        pieces += chunk
        held = len(pieces)
        if received + held > limit:
            raise TooLarge(f"Objects have at most {limit} bytes.")
        if held >= CHUNK:
            if room is not None:
                await room(received + held)
            await asyncio.to_thread(upload.write, pieces)
            received, pieces = received + held, bytearray()
    await asyncio.to_thread(upload.write, pieces)
    received += len(pieces)
    if request.content_length is not None and received - start != request.content_length:
        raise TranscoderError.of(ErrorCode.MALFORMED_REQUEST, "The connection broke before the whole body had come.")
    return received


async def _upload_link(request: web.Request, key: str) -> Followed | None:
    try:
        return await request.app[BUCKETS].followed(request.match_info["token"], key, to_read=False)
    except TranscoderError:
        return None


def _content_range(request: web.Request) -> tuple[int, int | None]:
    header = request.headers.get("Content-Range")
    if header is None:
        return 0, None
    match = _RANGE.fullmatch(header)
    if match is None:
        raise InvalidField("`Content-Range` looks like `bytes 0-99/1000`.")
    start, end, total = (int(number) for number in match.groups())
    if not start <= end < total or request.content_length not in (None, end - start + 1):
        raise TranscoderError.of(ErrorCode.RANGE_NOT_SATISFIABLE, "This range does not fit its body or its total.")
    return start, total


def _headers(key: str) -> dict[str, str]:
    extension = os.path.splitext(key)[1].lower()
    content_type = _TYPES.get(extension) or mimetypes.guess_type(key)[0] or "application/octet-stream"
    return {
        **_CORS,
        "Content-Type": _safe(content_type),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
        "Cache-Control": "private, max-age=3600",
    }


def _safe(content_type: str) -> str:
    """Tenants' files are shown by no browser as pages of ours."""
    return content_type if content_type.startswith(("video/", "audio/", "image/", "application/")) else "text/plain"
