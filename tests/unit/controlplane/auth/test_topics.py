"""Signatures of messages to topics."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from controlplane.auth.topics import TopicKey, canonical

NOW = dt.datetime(2025, 11, 21, tzinfo=dt.UTC)
NOTIFICATION = {
    "Type": "Notification",
    "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic",
    "Subject": "My First Message",
    "Message": "Hello world!",
    "Timestamp": "2012-05-02T00:54:06.655Z",
    "UnsubscribeURL": "https://example.com/",
}


@pytest.fixture(scope="module")
def key() -> TopicKey:
    return TopicKey.make(NOW)


def test_what_is_signed_is_what_amazon_sns_signs() -> None:
    assert canonical(NOTIFICATION) == (
        b"Message\nHello world!\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\nSubject\nMy First Message\n"
        b"Timestamp\n2012-05-02T00:54:06.655Z\nTopicArn\narn:aws:sns:us-west-2:123456789012:MyTopic\nType\nNotification\n"
    )
    del (plain := dict(NOTIFICATION))["Subject"]
    assert b"Subject" not in canonical(plain)


def test_the_certificate_proves_a_message_and_no_other(key: TopicKey) -> None:
    certificate = x509.load_pem_x509_certificate(key.certificate)
    public = certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    signature = base64.b64decode(key.signature(NOTIFICATION))
    public.verify(signature, canonical(NOTIFICATION), padding.PKCS1v15(), SHA256())
    for name in ("Message", "MessageId", "Subject", "Timestamp", "TopicArn"):
        with pytest.raises(InvalidSignature):
            public.verify(signature, canonical(NOTIFICATION | {name: "x"}), padding.PKCS1v15(), SHA256())
    assert certificate.not_valid_before_utc <= NOW < certificate.not_valid_after_utc


def test_a_key_that_was_kept_is_the_same(key: TopicKey) -> None:
    again = TopicKey.read(key.private(), key.certificate)
    assert (again.name, again.signature(NOTIFICATION)) == (key.name, key.signature(NOTIFICATION))
