"""Signatures of others: those that clients made of recorded requests, and those of botocore's own signer for any request."""

from __future__ import annotations

import datetime as dt
import json
import string
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.auth import sigv4
from controlplane.auth.sigv4 import Head, IncompleteSignature, MissingSignature, WrongSignature, by_name
from tests.soak import times

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parents[3] / "data" / "recorded_requests.json").read_text())
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEY_ID = "AKIDEXAMPLE"


def verified(head: Head, body: bytes, secret: str = SECRET, now: dt.datetime | None = None) -> None:
    said = head.headers[b"x-amz-date"].decode()
    signed_at = dt.datetime.strptime(said, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    sigv4.check(sigv4.claim(head.headers[b"authorization"].decode()), secret, head, body, now or signed_at)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda one: f"{one['client']} {one['method']} {one['target']}")
def test_what_clients_signed_is_verified(recorded: dict[str, Any]) -> None:
    headers = [(name.encode(), value.encode()) for name, value in recorded["headers"]]
    head = Head(recorded["method"], recorded["target"], by_name(headers))
    verified(head, recorded["body"].encode(), recorded["secret"])
    with pytest.raises(WrongSignature):
        verified(head, recorded["body"].encode(), "another secret")


WORD = st.text(string.ascii_letters + string.digits + "-_.~", min_size=1, max_size=12).filter(
    lambda word: word.strip(".")
)
ODD = st.text("abcXYZ019 +/=%&?:;,\"'é€\U0001f3ac", max_size=20)


@st.composite
def signed(draw: st.DrawFn) -> tuple[Head, bytes]:
    """A request as botocore signs and sends it."""
    path = "/2012-09-25/" + "/".join(AWSRequest(url=word).url for word in draw(st.lists(WORD, min_size=1, max_size=3)))
    params = draw(st.dictionaries(WORD, ODD, max_size=3))
    body = draw(st.binary(max_size=60))
    headers = {
        f"X-Amz-{name}": value for name, value in draw(st.dictionaries(WORD.map(str.title), WORD, max_size=3)).items()
    }
    request = AWSRequest(
        draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"])), f"http://127.0.0.1:8080{path}", headers
    )
    request.params, request.data = params, body
    if draw(st.booleans()):
        request.headers["Content-Type"] = "application/json"
    region = draw(st.sampled_from(["us-east-1", "eu-west-1", "0"]))
    SigV4Auth(Credentials(KEY_ID, SECRET), "elastictranscoder", region).add_auth(request)
    prepared = request.prepare()
    sent = [("Host", "127.0.0.1:8080"), *_strings(prepared.headers)]
    target = prepared.url.removeprefix("http://127.0.0.1:8080")
    return Head(prepared.method, target, by_name([(name.encode(), value.encode()) for name, value in sent])), body


def _strings(headers: HTTPHeaders) -> list[tuple[str, str]]:
    return [(name, value.decode() if isinstance(value, bytes) else value) for name, value in headers.items()]


@given(signed())
@settings(max_examples=times(200, 5_000))
def test_what_botocore_signs_is_verified(request_: tuple[Head, bytes]) -> None:
    verified(*request_)


@given(signed(), st.data())
@settings(max_examples=times(300, 10_000))
def test_one_changed_byte_of_what_is_signed_is_found(request_: tuple[Head, bytes], data: st.DataObject) -> None:
    """In the method, path, query, a signed header, or the body."""
    head, body = request_
    authorization = head.headers[b"authorization"].decode()
    signed_headers = sigv4.claim(authorization).signed_headers.split(";")
    kind = data.draw(st.sampled_from(["method", "target", "header", *(["body"] if body else [])]))
    if kind == "body":
        body = changed(body, data)
    elif kind == "header":
        name = data.draw(st.sampled_from(signed_headers)).encode()
        head = head._replace(headers={**head.headers, name: changed(head.headers[name], data)})
    elif kind == "target":
        head = head._replace(target=changed(head.target.encode(), data).decode("latin-1"))
    else:
        head = head._replace(method=changed(head.method.encode(), data).decode("latin-1"))
    told = request_[0].headers[b"x-amz-date"].decode()
    now = dt.datetime.strptime(told, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    with pytest.raises((WrongSignature, IncompleteSignature, MissingSignature)):
        sigv4.check(sigv4.claim(authorization), SECRET, head, body, now)


def changed(value: bytes, data: st.DataObject) -> bytes:
    """One byte of it is another, visible one: spaces around and between words are not signed apart."""
    place = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.sampled_from(range(33, 127)).filter(lambda byte: byte != value[place]))
    return value[:place] + bytes([other]) + value[place + 1 :]
