"""Signatures: published ones, those of every style of client, and ten thousand that were tampered with."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from controlplane.auth import sigv4
from controlplane.auth.sigv4 import Head, IncompleteSignature, MissingSignature, WrongSignature, by_name
from tests.contract.dialects.elastictranscoder.signing import Signer
from tests.soak import times

NOW = dt.datetime(2026, 11, 21, 12, 30, tzinfo=dt.UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SIGNER = Signer("AKIDEXAMPLE", SECRET)
HOST = "transcoder.example:8443"
BODY = b'{"PipelineId":"1111111111111-abcde1","Input":{"Key":"in/\xc3\xa9.mp4"}}'
PATH = "/2012-09-25/jobsByPipeline/1111111111111-abcde1"


def a_head(method: str, target: str, headers: dict[str, str]) -> Head:
    raw = [(name.encode(), value.encode()) for name, value in ({"Host": HOST} | headers).items()]
    return Head(method, target, by_name(raw))


def signed(
    target: str = PATH,
    body: bytes = b"",
    method: str = "GET",
    signer: Signer = SIGNER,
    at: dt.datetime = NOW,
    **more: str,
) -> Head:
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    return a_head(method, target, signer.headers(method, HOST, target, body, at, headers))


def check(head: Head, body: bytes = b"", now: dt.datetime = NOW, secret: str = SECRET) -> None:
    sigv4.check(sigv4.claim(head.headers[b"authorization"].decode()), secret, head, body, now)


PUBLISHED = (
    ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
)


@pytest.mark.parametrize(("target", "signature"), PUBLISHED)
def test_signatures_are_those_that_were_published(target: str, signature: str) -> None:
    moment = dt.datetime(2015, 8, 30, 12, 36, tzinfo=dt.UTC)
    headers = {
        "Host": "example.amazonaws.com",
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}",
    }
    check(a_head("GET", target, headers), now=moment)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(signed(signer=Signer("A", SECRET, separator=",")), id="no space after commas"),
        pytest.param(signed(signer=Signer("A", SECRET, region="0", service="127")), id="a scope that names nothing"),
        pytest.param(signed(PATH + "?PageToken=tok%2B%2F%3D1&Ascending=true"), id="a query in percents"),
        pytest.param(signed("/tags/arn%3Aaws%3Amc%3A1%2Fx"), id="a path in percents, put into percents again"),
        pytest.param(signed(user_agent="aws-sdk-js/3  md/x", amz_sdk_request="attempt=1; max=3"), id="many headers"),
        pytest.param(signed(X_Amz_Security_Token="a/token=="), id="a session's token"),
    ],
)
def test_every_style_of_client_is_understood(head: Head) -> None:
    check(head)


def test_a_query_that_is_sent_plain_and_signed_in_percents_is_understood() -> None:
    head = signed(PATH + "?PageToken=a%2Bb%2F%3D%20c")
    check(head._replace(target=PATH + "?PageToken=a%2Bb/=+c"))


def test_a_date_takes_the_place_of_the_vendors_own() -> None:
    head = signed(signer=Signer("A", SECRET, dated_by="Date"))
    check(head)
    with pytest.raises(WrongSignature):
        check(_with(head, "date", "Sat, 21 Nov 2026 12:30:01 GMT"))


def _with(head: Head, name: str, value: str) -> Head:
    return head._replace(headers={**head.headers, name.encode(): value.encode()})


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_signature_is_good_for_five_minutes_on_either_side(seconds: int) -> None:
    check(signed(), now=NOW + dt.timedelta(seconds=seconds))


def test_one_that_is_older_or_younger_is_told_so_as_the_service_did() -> None:
    with pytest.raises(WrongSignature) as expired:
        check(signed(), now=NOW + dt.timedelta(seconds=301))
    assert str(expired.value) == (
        "Signature expired: 20261121T123000Z is now earlier than 20261121T123001Z (20261121T123501Z - 5 min.)"
    )
    with pytest.raises(WrongSignature) as early:
        check(signed(), now=NOW - dt.timedelta(seconds=301))
    assert str(early.value).startswith("Signature not yet current: 20261121T123000Z is still later than")


@pytest.mark.parametrize(
    ("authorization", "error"),
    [
        (None, MissingSignature),
        ("", MissingSignature),
        ("Bearer etk_1_2_3", IncompleteSignature),
        ("AWS4-HMAC-SHA256 Credential=A/20261121/r/s/aws4_request, SignedHeaders=host", IncompleteSignature),
        ("AWS4-HMAC-SHA256 Credential=A/r/s/aws4_request, SignedHeaders=host, Signature=0", IncompleteSignature),
        (
            "AWS4-HMAC-SHA256 Credential=A/20261121/r/s/aws5_request, SignedHeaders=host, Signature=0",
            IncompleteSignature,
        ),
        ("AWS4-ECDSA-P256-SHA256 Credential=A/1/s/aws4_request, SignedHeaders=host, Signature=0", IncompleteSignature),
    ],
)
def test_a_header_that_lacks_something_is_told_what(authorization: str | None, error: type[Exception]) -> None:
    with pytest.raises(error):
        sigv4.claim(authorization)


@pytest.mark.parametrize("left_out", ["host", "x-amz-date"])
def test_what_the_time_and_the_receiver_are_must_be_signed(left_out: str) -> None:
    head = signed()
    claimed = sigv4.claim(head.headers[b"authorization"].decode())
    names = ";".join(name for name in claimed.signed_headers.split(";") if name != left_out)
    with pytest.raises(WrongSignature, match=f"'{left_out}' must be"):
        sigv4.check(claimed._replace(signed_headers=names), SECRET, head, b"", NOW)


@pytest.mark.parametrize("name", ["x-amz-security-token", "x-amz-content-sha256", "x-amz-anything"])
def test_of_the_vendors_own_headers_none_may_be_added_on_the_way(name: str) -> None:
    with pytest.raises(WrongSignature, match=f"'{name}' must be a 'SignedHeader'"):
        check(_with(signed(), name, "0"))
    check(_with(signed(), "x-amzn-trace-id", "Root=1-67891233-abcdef012345678912345678"))  # of load balancers


def test_spaces_in_and_around_a_value_are_signed_as_one_and_none() -> None:
    check(_with(signed(x_amz_meta="x y", user_agent="z"), "x-amz-meta", "  x   y "))


def test_of_a_header_that_came_twice_both_values_are_signed() -> None:
    head = signed(x_amz_meta="x y,z")
    sent = [(name, value) for name, value in head.headers.items() if name != b"x-amz-meta"]
    twice = by_name([(b"X-Amz-Meta", b" x  y "), *sent, (b"x-amz-meta", b"z")])
    check(head._replace(headers=twice))
    with pytest.raises(WrongSignature):
        check(head._replace(headers=twice | {b"x-amz-meta": b"z"}))


@pytest.mark.parametrize("order", ["{0}, {1}, {2}", "{2},{1},{0}", "{1}, {2}, {0}", " {0} ,  {1} , {2} "])
def test_the_parts_of_a_claim_may_stand_in_any_order(order: str) -> None:
    head = signed()
    algorithm, _, stated = head.headers[b"authorization"].decode().partition(" ")
    check(_with(head, "authorization", f"{algorithm} {order.format(*stated.split(', '))}"))


@pytest.mark.parametrize("said", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "0" * 64])
def test_what_a_header_says_of_the_body_is_not_believed(said: str) -> None:
    """A client that signed that instead of the body has signed no body that it could have sent."""
    head = signed(body=BODY, method="POST", x_amz_content_sha256=said)
    check(head, BODY)
    with pytest.raises(WrongSignature):
        check(head, b"other")


@pytest.mark.parametrize(
    "moment", ["2026-11-21T12:30:00Z", "20261321T123000Z", "yesterday", "", "20261121T123000", "２0261121T123000Z"]
)
def test_a_moment_of_another_form_is_refused(moment: str) -> None:
    with pytest.raises((IncompleteSignature, WrongSignature)):
        check(_with(signed(), "x-amz-date", moment))


def test_nothing_that_was_changed_by_a_byte_is_let_in() -> None:
    chance = random.Random(7)
    for _ in range(times(10_000, 200_000)):
        head, body = _some_request(chance)
        check(head, body)
        with pytest.raises((WrongSignature, IncompleteSignature)):
            check(*_tampered(chance, head, body))


def _some_request(chance: random.Random) -> tuple[Head, bytes]:
    query = chance.choice(("", "?Ascending=true", "?PageToken=tok%2B%2F%3D1&Ascending=false", "?a=1&b=%C3%A9&c"))
    body = chance.choice((b"", BODY, chance.randbytes(40)))
    agent = chance.choice(("Boto3/1.40.76 md/Botocore#1.40.76", "aws-sdk-js/3.957.0", "a  b"))
    return signed(PATH + query, body, chance.choice(("GET", "POST", "PUT")), user_agent=agent), body


def _tampered(chance: random.Random, head: Head, body: bytes) -> tuple[Head, bytes]:
    """With one byte other than it was: of the path, the query, a signed header or the body."""
    path, mark, query = head.target.partition("?")
    match chance.choice(("path", *(["query"] if query else []), "header", *(["body"] if body else []))):
        case "path":
            return head._replace(target=_flipped(chance, path.encode()).decode("latin-1") + mark + query), body
        case "query":
            return head._replace(target=path + mark + _flipped(chance, query.encode()).decode("latin-1")), body
        case "header":
            chosen = chance.choice([name for name in head.headers if name != b"authorization"])
            return head._replace(headers={**head.headers, chosen: _flipped(chance, head.headers[chosen])}), body
    return head, _flipped(chance, body)


def _flipped(chance: random.Random, data: bytes) -> bytes:
    place, bits = chance.randrange(len(data)), chance.randrange(1, 128)
    return data[:place] + bytes([data[place] ^ bits]) + data[place + 1 :]
