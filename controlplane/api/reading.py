"""Reads documents: whole, soon, and no larger than their route takes."""

from __future__ import annotations

import asyncio

from aiohttp import web

from controlplane.api.keys import SETTINGS
from shared.errors import ErrorCode, TooLarge, TranscoderError


async def document(request: web.Request, limit: int) -> bytes:
    """The body. Raises TranscoderError: too large, too slow, or compressed, which none of ours is."""
    refuse_encoding(request)
    if (request.content_length or 0) > limit:
        raise TooLarge("The document is too large.")
    body = request.content if request.content_length is not None else request.clone(client_max_size=limit)
    if request.content.is_eof():
        return await body.read()
    try:
        async with asyncio.timeout(request.app[SETTINGS].body_timeout):
            return await body.read()
    except TimeoutError as error:
        raise TranscoderError.of(ErrorCode.TOO_SLOW, "The document did not arrive in time.") from error


def refuse_encoding(request: web.Request) -> None:
    """A few bytes would become many here, and what is kept is what was sent."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise TranscoderError.of(ErrorCode.UNSUPPORTED_ENCODING, "Send it as it is, without a `Content-Encoding`.")
