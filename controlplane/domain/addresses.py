"""Where this service may be made to send something: decided from addresses, never from how they are written.

`is_global` of Python lets pass what routes to other hosts than it names, and what is no host at all: those are taken out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from yarl import URL

from shared.errors import InvalidField

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST: Final = 2048
_UNICAST: Final = ip_network("2000::/3")
_NOT_HOSTS: Final[tuple[Network, ...]] = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # relays of 6to4
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
            "2001::/23",  # protocol assignments, Teredo among them
            "2002::/16",  # 6to4: an IPv4 address within
            "3fff::/20",  # documentation
        ),
    )
)

_ENDS_IN_A_NUMBER: Final = re.compile(r"(^|\.)([0-9]+|0x[0-9a-f]*)\.?$")
"""No name does: a host like `127.1` or `0x7f000001` is an address, as old resolvers read it."""


def is_public(address: Address) -> bool:
    """Whether it is that of a host anywhere on the Internet."""
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False  # mapped and translated IPv4, site-local, whatever is to come
    return address.is_global and not any(address in network for network in _NOT_HOSTS)


def may_reach(address: Address, allowed: Sequence[Network], *, is_plain: bool) -> bool:
    """`allowed` are the operator's own networks. Beyond them nothing goes in clear."""
    return any(address in network for network in allowed) or (is_public(address) and not is_plain)


def target(text: str, allowed: Sequence[Network]) -> URL:
    """The address of an endpoint, as far as it can be judged before its name is looked up. Raises InvalidField."""
    if len(text) > MOST or not text.isascii() or not text.isprintable() or set(text) & set(' \\"<>^`{|}'):
        raise _refused(f"An address has up to {MOST} printable ASCII characters.")
    try:
        url = URL(text)
        host, port = url.host, url.port  # each is first read here
    except ValueError as error:
        raise _refused("This is no address.") from error
    if url.scheme != "https" and not (url.scheme == "http" and allowed):
        raise _refused("An address begins with https://.")
    if not host or url.user is not None or url.password is not None or url.fragment:
        raise _refused("An address has a host, and neither a user nor a fragment.")
    if port not in (80, 443) and (port is None or port < 1024):
        raise _refused("The port is 80, 443, or one from 1024 on.")
    literal = _literal(host)
    if literal is None and _ENDS_IN_A_NUMBER.search(host):
        raise _refused("An IP address is written as four decimal numbers, or in brackets.")
    if literal is not None and not may_reach(literal, allowed, is_plain=url.scheme == "http"):
        raise _refused("This address is not public.")
    return url


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _refused(detail: str) -> InvalidField:
    return InvalidField(detail, pointer="/url")
