"""Page tokens: signed, bound to who asked and for what, and over a key, never over an offset."""

from __future__ import annotations

from collections.abc import Sequence

from itsdangerous import BadData, URLSafeSerializer

from shared.errors import ErrorCode, TranscoderError


class Pages:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, after: str, scope: Sequence[str]) -> str:
        return str(self._serializer(scope).dumps(after))

    def read(self, token: str, scope: Sequence[str]) -> str:
        """The key after which the page begins. Raises `invalid_page_token` for any other list than the token's own."""
        try:
            return str(self._serializer(scope).loads(token))
        except BadData as error:
            detail = "This page token is not one of this list's; begin again without one."
            raise TranscoderError.of(ErrorCode.INVALID_PAGE_TOKEN, detail, pointer="/page_token") from error

    def _serializer(self, scope: Sequence[str]) -> URLSafeSerializer:
        return URLSafeSerializer(self._secret, salt="\x1f".join(("page", *scope)))
