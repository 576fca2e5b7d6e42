"""Signed links and page tokens: what was signed, or a refusal, and nothing between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.services.pages import Pages
from controlplane.storage.links import Link, Links
from shared.errors import LinkRefused, TranscoderError
from shared.ids import TenantId
from tests.clock import FakeClock

TENANT = TenantId("100000000001")


def token_of(path: str) -> str:
    return path.split("/")[2]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def links(clock: FakeClock) -> Links:
    return Links(b"secret", clock)


def test_a_link_reads_back_as_it_was_signed(links: Links, clock: FakeClock) -> None:
    token = token_of(links.sign("get", TENANT, "bucket", "a/b c", seconds=60))
    assert links.read(token) == Link("get", TENANT, "bucket", "a/b c", clock.now_ms() + 60_000)


def test_a_link_ends(links: Links, clock: FakeClock) -> None:
    token = token_of(links.sign("get", TENANT, "bucket", "key", seconds=60))
    clock.pass_seconds(59.999)
    links.read(token)
    clock.pass_seconds(0.001)
    with pytest.raises(LinkRefused, match="expired"):
        links.read(token)


def test_no_character_can_be_changed_into_another_link(links: Links) -> None:
    token = token_of(links.sign("get", TENANT, "bucket", "key", seconds=60))
    signed = links.read(token)
    for place in range(len(token)):
        for other in "Aa0-_.":
            tampered = token[:place] + other + token[place + 1 :]
            try:
                assert links.read(tampered) == signed
            except LinkRefused:
                continue


def test_links_of_another_secret_and_page_tokens_are_refused(links: Links, clock: FakeClock) -> None:
    for token in (
        token_of(Links(b"other", clock).sign("get", TENANT, "bucket", "key", seconds=60)),
        Pages(b"secret").make("key", [TENANT]),
        "",
        ".",
        "ü",
    ):
        with pytest.raises(LinkRefused):
            links.read(token)


@pytest.mark.parametrize(
    ("signed", "asked", "covered"),
    [
        ("a", "a", True),
        ("a", "a/b", False),
        ("a", "ab", False),
        ("a/", "a/b", True),
        ("a/", "a/b/c", True),
        ("a/", "a", False),
        ("a/", "b/a/", False),
        ("a/", "ab/c", False),
    ],
)
def test_a_prefix_covers_what_lies_below(signed: str, asked: str, covered: bool) -> None:
    assert Link("get", TENANT, "bucket", signed, 0).covers(asked) is covered


@given(st.text(), st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_a_page_token_is_good_for_its_own_list_alone(after: str, scope: list[str], other: list[str]) -> None:
    pages = Pages(b"secret")
    try:
        token = pages.make(after, scope)
    except UnicodeEncodeError:
        return
    assert pages.read(token, scope) == after
    if "\x1f".join(scope) != "\x1f".join(other):
        with pytest.raises((TranscoderError, UnicodeEncodeError)):
            pages.read(token, other)
