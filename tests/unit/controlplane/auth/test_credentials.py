"""Secrets that people carry: recognised, never guessed at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.auth import credentials
from shared.errors import Unauthenticated

MADE = credentials.make(credentials.API_KEY, "abc123")


def test_a_credential_reads_back_as_it_was_made() -> None:
    read = credentials.parse(MADE.text, credentials.API_KEY)
    assert read == MADE
    assert credentials.matches(read, MADE.secret_hash)


def test_no_two_are_alike_and_none_tells_its_secret_by_its_hash() -> None:
    assert credentials.make(credentials.API_KEY, "abc123").secret != MADE.secret
    assert MADE.secret not in MADE.secret_hash


@pytest.mark.parametrize("place", range(len(MADE.text)))
def test_a_mistyped_one_is_not_looked_up(place: int) -> None:
    other = "0" if MADE.text[place] != "0" else "1"
    with pytest.raises(Unauthenticated):
        credentials.parse(MADE.text[:place] + other + MADE.text[place + 1 :], credentials.API_KEY)


def test_a_credential_of_another_kind_is_none() -> None:
    with pytest.raises(Unauthenticated):
        credentials.parse(MADE.text, credentials.NODE_CREDENTIAL)


@given(st.text() | st.text(st.characters(categories=["Cs", "Ll"])).map(lambda text: f"etk_{text}_b_c"))
def test_whatever_is_sent_is_refused_in_the_same_way(text: str) -> None:
    with pytest.raises(Unauthenticated):
        credentials.parse(text, credentials.API_KEY)
