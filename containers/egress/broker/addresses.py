"""Names and addresses: what a host name may look like, and which addresses are public. Pure, and strict on purpose.

Two programs that read one string in two ways are a way around a filter. So a name has one spelling here, all others are
refused, and it is this spelling that is looked up, connected to and compared.
"""

from __future__ import annotations

import ipaddress
import re

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# A last label like these makes resolvers take the whole for an IPv4 address: 127.1, 0x7f.1, 2130706433, 0177.0.0.1.
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
LONGEST = 253

# What is refused for everybody, however it is listed: (network, what it is).
NEVER = [
    ("169.254.169.254/32", "a cloud's metadata service"),
    ("169.254.170.2/32", "a cloud's metadata service"),
    ("168.63.129.16/32", "a cloud's metadata service"),
    ("100.100.100.200/32", "a cloud's metadata service"),
    ("192.0.0.192/32", "a cloud's metadata service"),
    ("fd00:ec2::/32", "a cloud's metadata service"),
    ("fd20:ce::254/128", "a cloud's metadata service"),
    ("0.0.0.0/8", "this host"),
    ("127.0.0.0/8", "the broker's own loopback"),
    ("::/127", "the broker's own loopback"),
    ("169.254.0.0/16", "link-local"),
    ("fe80::/10", "link-local"),
    ("224.0.0.0/4", "multicast"),
    ("ff00::/8", "multicast"),
    ("240.0.0.0/4", "reserved"),
    # Addresses with another address inside, or made by one who can route them where he likes.
    ("::/96", "an embedded IPv4 address"),
    ("::ffff:0:0:0/96", "an embedded IPv4 address"),
    ("64:ff9b:1::/48", "an embedded IPv4 address"),
    ("2002::/16", "an embedded IPv4 address (6to4)"),
    ("2001::/32", "an embedded IPv4 address (Teredo)"),
    ("192.88.99.0/24", "a 6to4 relay"),
]
# Words for what only a host that is allowed as private may lead to; so may it to all else that is not public.
PRIVATE = [
    ("10.0.0.0/8", "a private address"),
    ("172.16.0.0/12", "a private address"),
    ("192.168.0.0/16", "a private address"),
    ("100.64.0.0/10", "a carrier's private address"),
    ("fc00::/7", "a private address"),
    ("fec0::/10", "a private address"),
]
_NEVER = [(ipaddress.ip_network(network), what) for network, what in NEVER]
_PRIVATE = [(ipaddress.ip_network(network), what) for network, what in PRIVATE]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class BadName(ValueError):
    """Not a host name, or not in its one spelling."""


def canonical(host: str) -> str:
    """The one spelling of a host: lower case, no dot at the end; of an address the shortest form. Raises BadName."""
    name = host.lower().removesuffix(".")
    if address := as_address(name):
        return str(address)
    labels = name.split(".")
    if not name or len(name) > LONGEST or not all(LABEL.fullmatch(label) for label in labels):
        raise BadName("not a host name (international names are written xn--...)")
    if NUMBER.fullmatch(labels[-1]):
        raise BadName("an address in a form that programs read differently")
    return name


def as_address(host: str) -> Address | None:
    """The address that a host literally is. Only the usual forms; `127.1` and `0x7f000001` are none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return None if isinstance(address, ipaddress.IPv6Address) and address.scope_id else address


def objection(address: Address, private: bool) -> str:
    """What speaks against a connection to this address; empty if nothing does."""
    address = _inner(address)
    for network, what in _NEVER:
        if address in network:
            return what
    if private:
        return ""
    named = next((what for network, what in _PRIVATE if address in network), "")
    return named or ("" if address.is_global else "not a public address")


def may_be_allowed(address: Address) -> bool:
    """Whether listing a host as private would help."""
    return not objection(address, private=True)


def _inner(address: Address) -> Address:
    """Of a v4-mapped or NAT64 address the IPv4 address that it reaches."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
