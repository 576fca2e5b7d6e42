"""The HTTP API as the command line uses it."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, Final, NoReturn

import aiohttp
import click
import stamina
from yarl import URL

from shared.errors import ErrorCode

EXIT_FAILED: Final = 1  # the job ended in Error
EXIT_REFUSED: Final = 3  # the API said no
EXIT_UNREACHABLE: Final = 4
EXIT_CANCELED: Final = 5  # the job was canceled

stamina.instrumentation.set_on_retry_hooks([])  # people are told when the last try has failed
_RETRIED: Final = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)
_NOT_NOW: Final = frozenset({ErrorCode.THROTTLED, ErrorCode.UNAVAILABLE, ErrorCode.STORAGE_FULL})
_CHUNK: Final = 1024 * 1024


class Refused(click.ClickException):
    exit_code = EXIT_REFUSED


class NotNow(Refused):
    """Asked to wait, `pause` seconds: too many calls, or the service cannot just now. Nothing was done."""

    def __init__(self, message: str, pause: float) -> None:
        super().__init__(message)
        self.pause = pause


class Unreachable(click.ClickException):
    exit_code = EXIT_UNREACHABLE


def _pause(error: Exception) -> bool | float:
    """How long before a call is repeated: as long as the service asks for, or growing pauses; False: not repeated."""
    if isinstance(error, NotNow):
        return error.pause
    return isinstance(error, _RETRIED) and not isinstance(error, aiohttp.ClientSSLError)


class Api:
    """One caller's calls. Every call that may be repeated is, with growing pauses, when the connection fails."""

    def __init__(self, url: str, key: str, ca_file: Path | None = None) -> None:
        """`ca_file` has the authorities to trust instead of the system's."""
        self._url = url.rstrip("/")
        self._tls: ssl.SSLContext | bool = ssl.create_default_context(cafile=str(ca_file)) if ca_file else True
        self._headers = {"Authorization": f"Bearer {key}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Api:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(self, method: str, path: str, document: Any = None, **params: Any) -> Any:
        """The answer: JSON, or the text of another type. Raises Refused with the API's own sentence, or Unreachable."""
        given = {name: str(value) for name, value in params.items() if value is not None}
        try:
            async for attempt in stamina.retry_context(on=_pause, attempts=5, timeout=30):
                with attempt:
                    return await self._once(method, path, document, given)
        except _RETRIED as error:
            raise Unreachable(f"{self._url} cannot be reached: {_why(error)}") from error
        raise AssertionError("a retried call ends by returning or raising")

    async def pages(self, path: str, **params: Any) -> AsyncIterator[Any]:
        """Every item of a list, page by page."""
        token = None
        while True:
            page = await self.call("GET", path, page_token=token, **params)
            for item in page["items"]:
                yield item
            token = page["next_page_token"]
            if token is None:
                return

    async def upload(self, bucket: str, key: str, file: Path, moved: Callable[[int], None]) -> None:
        """Puts a file, going on where it was when the connection breaks; `moved` is told the bytes of every step."""
        url = (await self.call("POST", f"/v1/buckets/{bucket}/uploads", {"key": key}))["url"]
        size = file_size(file)
        try:
            async for attempt in stamina.retry_context(on=_pause, attempts=10, timeout=600):
                with attempt:
                    start = await self._offset(url) if attempt.num > 1 else 0
                    await self._put(url, file, start, size, moved)
        except _RETRIED as error:
            raise Unreachable(f"The upload broke off: {_why(error)}") from error

    def watch(self, job_id: str) -> AsyncIterator[tuple[str, Any]]:
        """(type, data) of everything that happens to a job; the last is ("end", the job)."""
        return self.stream(f"/v1/jobs/{job_id}/events")

    async def stream(self, path: str, last_id: str = "0") -> AsyncIterator[tuple[str, Any]]:
        """(type, data) of every event up to and with "end". Survives broken connections. `last_id` "": from now on."""
        while True:
            try:
                headers = {**self._headers, "Accept": "text/event-stream", "Last-Event-ID": last_id}
                async with self._open.get(f"{self._url}{path}", headers=headers) as response:
                    await _refuse(response)
                    async for event_id, kind, data in _events(response):
                        last_id = event_id or last_id
                        yield kind, data
                        if kind == "end":
                            return
            except _RETRIED:
                await asyncio.sleep(0.5)
                await self.call("GET", path)

    @property
    def _open(self) -> aiohttp.ClientSession:
        assert self._session is not None, "use `async with`"
        return self._session

    async def _once(self, method: str, path: str, document: Any, params: dict[str, str]) -> Any:
        async with self._open.request(
            method, self._url + path, json=document, params=params, headers=self._headers
        ) as response:
            await _refuse(response)
            if response.status == 204:
                return None
            return await (response.json() if response.content_type == "application/json" else response.text())

    async def _offset(self, url: str) -> int:
        async with self._open.head(url) as response:
            await _refuse(response)
            return int(response.headers.get("Upload-Offset", "0"))

    async def _put(self, url: str, file: Path, start: int, size: int, moved: Callable[[int], None]) -> None:
        headers = {"Content-Length": str(size - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        async with self._open.put(url, data=_pieces(file, start, moved), headers=headers) as response:
            await _refuse(response)


def api_command(function: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Gives a command the options of a caller, and its coroutine an open Api as the first argument."""

    @click.option(
        "--url",
        envvar="TRANSCODER_URL",
        default="http://127.0.0.1:8080",
        show_default=True,
        show_envvar=True,
        help="The control plane.",
    )
    @click.option(
        "--key-file",
        envvar="TRANSCODER_KEY_FILE",
        show_envvar=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file with the API key; or set TRANSCODER_KEY. Never an argument: those are public.",
    )
    @click.option(
        "--ca-file",
        envvar="TRANSCODER_CA_FILE",
        show_envvar=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Authorities to trust instead of the system's (PEM).",
    )
    @wraps(function)
    def command(*args: Any, url: str, key_file: Path | None, ca_file: Path | None, **kwargs: Any) -> None:
        key = (key_file.read_text() if key_file else os.environ.get("TRANSCODER_KEY", "")).strip()
        if not key:
            raise click.UsageError("No API key: set TRANSCODER_KEY, or name a file with --key-file.")
        if not (key.isascii() and key.isprintable()):
            raise click.UsageError("What was given as API key is none: it has more than one line, or other characters.")
        if URL(url).scheme not in ("http", "https") or not URL(url).host:
            raise click.UsageError(f"{url!r} is no address of a control plane; one looks like http://127.0.0.1:8080.")

        async def main() -> None:
            async with _opened(url, key, ca_file) as api:
                await function(api, *args, **kwargs)

        run(main())

    return command


def _opened(url: str, key: str, ca_file: Path | None) -> Api:
    try:
        return Api(url, key, ca_file)
    except OSError as error:
        raise click.UsageError(f"{ca_file} cannot be used: {error}") from error


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
        remedy = (
            "Use an address that the certificate has."
            if "mismatch" in reason.lower()
            else "Name its authority with --ca-file or TRANSCODER_CA_FILE."
        )
        return f"its certificate is not trusted ({reason.rstrip('.')}). {remedy}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection without an answer. Where it speaks TLS, the address begins with https."
    return str(error) or type(error).__name__


def run(main: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(main)
    except KeyboardInterrupt:
        _interrupted()


def _interrupted() -> NoReturn:
    raise click.exceptions.Exit(130)


async def _refuse(response: aiohttp.ClientResponse) -> None:
    if response.status < 400:
        return
    try:
        problem = json.loads(await response.read())
        if (vendors := response.headers.get("x-amzn-ErrorType")) is not None:
            raise Refused(f"{problem['message']} [{vendors}]")
        place = f" ({problem['pointer']})" if problem.get("pointer") else ""
        message = f"{problem['detail']}{place} [{problem['code']}]"
        if problem["code"] in _NOT_NOW and problem.get("retry_after") is not None:
            raise NotNow(message, problem["retry_after"])
        raise Refused(message)
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"HTTP {response.status}") from error


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, str, Any]]:
    event_id = kind = data = ""
    async for text in _lines(response):
        if not text:
            if data:
                yield event_id, kind, json.loads(data)
            event_id = kind = data = ""
            continue
        name, _, value = text.partition(": ")
        if name == "id":
            event_id = value
        elif name == "event":
            kind = value
        elif name == "data":
            data += value


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """However long: the end of a job tells every object that was made of it."""
    rest = b""
    async for piece in response.content.iter_any():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode()


def file_size(file: Path) -> int:
    return file.stat().st_size


async def _pieces(file: Path, start: int, moved: Callable[[int], None]) -> AsyncIterator[bytes]:
    with file.open("rb") as source:
        source.seek(start)
        while piece := source.read(_CHUNK):
            yield piece
            moved(len(piece))
