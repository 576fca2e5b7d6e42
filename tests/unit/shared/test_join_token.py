"""The token that a node joins with, and the one certificate that it vouches for."""

from __future__ import annotations

import datetime as dt

from controlplane.certificates import authority
from shared.join_token import JoinToken, fingerprint, vouched_for

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
OURS = authority(NOW).certificate_pem
ANOTHER = authority(NOW).certificate_pem


def test_a_token_reads_as_it_was_written() -> None:
    for token in (JoinToken("etj_1_s_c"), JoinToken("etj_1_s_c", "ab" * 32)):
        assert JoinToken.parse(f" {token.text}\n") == token


def test_the_certificate_of_the_fingerprint_is_vouched_for() -> None:
    ours = fingerprint(OURS)
    assert ours is not None
    kept = vouched_for(OURS, ours)
    assert kept is not None
    assert fingerprint(kept) == ours


def test_another_certificate_is_not() -> None:
    assert vouched_for(ANOTHER, fingerprint(OURS) or "") is None


def test_what_comes_with_the_right_certificate_is_left_behind() -> None:
    ours = fingerprint(OURS) or ""
    for bundle in (ANOTHER + OURS, OURS + ANOTHER):
        kept = vouched_for(bundle, ours) or b""
        assert kept.count(b"BEGIN CERTIFICATE") == 1
        assert fingerprint(kept) == ours


def test_what_is_no_certificate_has_no_fingerprint() -> None:
    for text in (b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n"):
        assert fingerprint(text) is None
        assert vouched_for(text, "00" * 32) is None
