"""Where a webhook may be sent to: what an address has to look like, and where it may lead.

A partner chooses the address, and the service is inside a network that the partner is not in. So
every address that a name resolves to is looked at, and the one that was looked at is connected to.
"""

import re
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

MAX_URL: Final = 2_000

# Printable ASCII without what splits a request; a name in other scripts is written in punycode.
_URL: Final = re.compile(r"https?://[!-~]+")
_NAME: Final = re.compile(r"[a-z0-9._-]{1,253}")
# IPv4 inside IPv6: 6to4 (RFC 3056) and NAT64 (RFC 6052) with the bits that the address is in.
_6TO4: Final = IPv6Network("2002::/16")
_NAT64: Final = IPv6Network("64:ff9b::/96")
# Of these nobody can tell where they end: Teredo (RFC 4380), NAT64 of a network's own (RFC 8215),
# IPv4-compatible (RFC 4291, section 2.5.5.1), site-local (RFC 3879), the discard prefix (RFC 6666),
# documentation and benchmarking.
_UNTOLD: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/32", "64:ff9b:1::/48", "::/96", "fec0::/10", "100::/64", "2001:db8::/32",
        "2001:2::/48", "3fff::/20",
    )
)  # fmt: skip


class Target(NamedTuple):
    """An address as it was given. port: 443 or 80 where it names none."""

    url: str
    is_https: bool
    host: str
    port: int


class InvalidTargetError(Exception):
    """An address that nothing is sent to, whatever it leads to; the message says why."""


class RefusedError(Exception):
    """A name that leads to where nothing may be sent, or nowhere."""


def parse_target(url: str, allowed: Sequence[Network] = ()) -> Target:
    """Return the parts of an address.

    allowed: networks that may be reached although they are not public, and without https.
    Raises InvalidTargetError.
    """
    if len(url) > MAX_URL or not _URL.fullmatch(url):
        raise InvalidTargetError(f"must be an https address of {MAX_URL:,} characters at most")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidTargetError("must be an address with a host and a port") from None
    if parts.username is not None or parts.password is not None or "#" in url:
        raise InvalidTargetError("must have neither a user, a password nor a fragment")
    is_https = parts.scheme == "https"
    if not is_https and not allowed:
        raise InvalidTargetError("must begin with https://")
    if port == 0:
        raise InvalidTargetError("must be an address with a host and a port")
    target = Target(url, is_https, host, port or (443 if is_https else 80))
    literal = _find_literal(host)
    if literal is None and not _NAME.fullmatch(host):
        raise InvalidTargetError("must name a host in ASCII")
    if literal is not None and not _may_reach(literal, target, allowed):
        raise InvalidTargetError("must lead to a public address")
    return target


def find_address(
    target: Target, allowed: Sequence[Network] = (), *, resolve: Resolve | None = None
) -> str:
    """Return the IP address to connect to, resolved this once.

    Raises RefusedError where the name has no address, or one to which nothing may be sent: of a
    name that has good ones beside it none is used.
    """
    try:
        texts = (resolve or _resolve)(target.host, target.port)
    except (OSError, UnicodeError):
        raise RefusedError("the name has no address") from None
    # A scope is of this machine's links, and only link-local addresses have one.
    found = [ip_address(text.partition("%")[0]) for text in texts]
    if not found:
        raise RefusedError("the name has no address")
    if not all(_may_reach(one, target, allowed) for one in found):
        raise RefusedError("the name leads to an address that is not public")
    return str(found[0])


def is_public(address: Address) -> bool:
    """Return whether an address is one of the public internet, also where IPv4 is inside IPv6."""
    if isinstance(address, IPv6Address):
        if any(address in network for network in _UNTOLD):
            return False
        inner = _find_inner(address)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or address.is_loopback
        or address.is_link_local
        or address.is_private
    )


def _find_inner(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _6TO4:
        return IPv4Address(int(address) >> 80 & 0xFFFF_FFFF)
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def _may_reach(address: Address, target: Target, allowed: Sequence[Network]) -> bool:
    inner = _find_inner(address) if isinstance(address, IPv6Address) else None
    if any(one in network for one in (address, inner) if one for network in allowed):
        return True
    return target.is_https and is_public(address)


def _find_literal(host: str) -> Address | None:
    """Return the address that a host is, in any spelling that a resolver takes for one."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        # Decimal, octal, hexadecimal and short forms, as 0x7f.1 or 2130706433.
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def _resolve(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
