"""Requests that vendors' clients have signed, or our own have sent with a key of their own."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from controlplane.auth.access_keys import Signed
from controlplane.auth.sigv4 import Head, by_name
from controlplane.http.calls import authenticated
from controlplane.http.connections import site
from controlplane.http.keys import ACCESS_KEYS, MAX_DOCUMENT
from controlplane.http.reading import document


async def signed(request: web.Request) -> Signed:
    """Raises Unauthenticated in one of the forms of `sigv4`, or Throttled after many wrong signatures from one address.

    A key for the native API is as good here as there.
    """
    if request.headers.get("Authorization", "").startswith("Bearer "):
        return Signed(await authenticated(request), await document(request, request.app[MAX_DOCUMENT]), None)
    head = Head(request.method, request.raw_path, by_name(request.raw_headers))
    body = partial(document, request, request.app[MAX_DOCUMENT])
    return await request.app[ACCESS_KEYS].caller(head, body, partial(site, request))
