"""One token, one effect: how requests are compared."""

from __future__ import annotations

import hashlib

import orjson


def fingerprint(document: bytes) -> str:
    """SHA-256 over the request as sent, whatever its white space and the order of its fields.

    Defaults are not filled in first: a new release with other defaults must not turn a retry into a conflict. The token
    itself does not count: it may stand in the body or in a header.
    """
    fields = orjson.loads(document)
    if isinstance(fields, dict):
        fields.pop("client_request_token", None)
    return hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()
