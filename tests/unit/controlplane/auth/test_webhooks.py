"""Signatures of webhooks, against Standard Webhooks' own library."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from controlplane.auth.webhooks import new_secret, shown, signatures

secrets = st.binary(min_size=24, max_size=64)


@given(secret=secrets, body=st.text(max_size=200), seconds=st.integers(0, 4_000_000_000))
def test_they_are_those_that_the_library_makes(secret: bytes, body: str, seconds: int) -> None:
    theirs = Webhook(shown(secret)).sign("msg_1", dt.datetime.fromtimestamp(seconds, dt.UTC), body)
    assert signatures([secret], "msg_1", seconds, body.encode()) == theirs


def test_the_specifications_own_example() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    theirs = Webhook(secret).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", dt.datetime.fromtimestamp(1614265330, dt.UTC), "{}")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert signatures([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b"{}") == theirs
    assert shown(key) == secret


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_secret_signs(count: int) -> None:
    keys = [new_secret() for _ in range(count)]
    made = signatures(keys, "msg_1", 1, b"{}").split(" ")
    assert made == [signatures([key], "msg_1", 1, b"{}") for key in keys]
    assert len({len(key) for key in keys}) == 1
    assert all(24 <= len(key) <= 64 for key in keys)
