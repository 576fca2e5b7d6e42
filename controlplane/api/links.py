"""From the path of a signed link to a URL that its holder can open."""

from __future__ import annotations

from aiohttp import web

from controlplane.settings import Settings


def absolute(request: web.Request, settings: Settings, path: str) -> str:
    return (settings.public_url or f"{request.scheme}://{request.host}").rstrip("/") + path
