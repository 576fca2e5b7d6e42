"""Where something may be sent."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from controlplane.domain.addresses import is_public, may_reach, target
from shared.errors import InvalidField

BAD = [
    "0.0.0.0",  # noqa: S104 (nothing is bound)
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.215.14",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
GOOD = ["93.184.215.14", "1.1.1.1", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_host_of_the_internet_is_reached_by_nobody(text: str) -> None:
    assert not is_public(ip_address(text))
    assert not may_reach(ip_address(text), (), is_plain=False)


@pytest.mark.parametrize("text", GOOD)
def test_hosts_of_the_internet_are_reached_and_never_in_clear(text: str) -> None:
    assert may_reach(ip_address(text), (), is_plain=False)
    assert not may_reach(ip_address(text), (ip_network("10.0.0.0/8"),), is_plain=True)


def test_an_operators_own_networks_are_reached_and_in_clear_too() -> None:
    own = (ip_network("10.1.0.0/16"), ip_network("fd12::/16"))
    for text, expected in (("10.1.2.3", True), ("10.2.0.1", False), ("fd12::1", True), ("fd13::1", False)):
        assert may_reach(ip_address(text), own, is_plain=True) is expected
        assert may_reach(ip_address(text), own, is_plain=False) is expected


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com",
        "https://example.com:8443/hook?x=1",
        "https://93.184.215.14/",
        "https://[2606:4700:4700::1111]/",
        "https://xn--bcher-kva.example/",
    ],
)
def test_an_address_is_taken(text: str) -> None:
    assert target(text, ()).scheme == "https"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https:///path",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com:22/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com:x/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://exa mple.com/",
        "https://example.com\\@127.0.0.1/",
        "https://bücher.example/",
        "https://example.com/\r\nHost: other",
        "https://xn--/",
        "https://xn--a.example/",
        "https://example.com/" + "x" * 2048,
    ],
)
def test_an_address_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        target(text, ())
    assert refused.value.pointer == "/url"


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0X7F000001", "017700000001", "0177.0.0.1", "0", "93.184.215.14."]
)
def test_an_ip_address_is_written_in_one_way(host: str) -> None:
    with pytest.raises(InvalidField, match="four decimal numbers"):
        target(f"https://{host}/", ())


@pytest.mark.parametrize(
    "host", ["1.example.com", "example.com.", "0x7f.example", "4chan.example", "deadbeef", "x.0xg"]
)
def test_a_name_may_have_numbers(host: str) -> None:
    assert target(f"https://{host}/", ()).scheme == "https"


def test_in_clear_goes_only_what_stays_in_networks_of_the_operator() -> None:
    own = (ip_network("10.0.0.0/8"),)
    assert target("http://10.1.2.3:8080/", own).port == 8080
    assert target("http://hooks.internal/", own).host == "hooks.internal", "what it resolves to is seen when it is sent"
    with pytest.raises(InvalidField):
        target("http://93.184.215.14/", own)
