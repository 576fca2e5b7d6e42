"""One token, one effect: how requests are compared."""

from __future__ import annotations

import hashlib

import orjson


def fingerprint(document: bytes) -> str:
    """SHA-256 over the request as sent, whatever its white space and the order of its fields.

    Defaults are not filled in first: a new release with other defaults must not turn a retry into a conflict.
    """
    return hashlib.sha256(orjson.dumps(orjson.loads(document), option=orjson.OPT_SORT_KEYS)).hexdigest()
