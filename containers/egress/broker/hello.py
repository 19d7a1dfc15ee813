"""What a TLS ClientHello says about where it wants to go, and refusals in TLS. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from broker.addresses import BadName, as_address, canonical

SERVER_NAME = 0x0000
ENCRYPTED_HELLO = 0xFE0D
# TLS 1.2 record, fatal alert 112: unrecognized_name. Clients print it.
ALERT = bytes([21, 3, 3, 0, 2, 2, 112])
METHOD = re.compile(rb"[A-Z]{3,20} ")


def objection(extensions: Sequence[tuple[int, bytes]], host: str) -> str:
    """What speaks against a ClientHello in a tunnel to this host; empty if nothing does."""
    bodies = [body for kind, body in extensions if kind == SERVER_NAME]
    if any(kind == ENCRYPTED_HELLO for kind, _ in extensions):
        return f"TLS to {host} with an encrypted server name (ECH), which may be another host's"
    if not bodies:
        return "" if as_address(host) else f"TLS to {host} without a server name"
    if len(bodies) > 1:
        return f"TLS to {host} with two server names"
    try:
        name = canonical(_server_name(bodies[0]))
    except (BadName, ValueError):
        return f"TLS to {host} with a malformed server name"
    return "" if name == host else f"TLS to {name} in a tunnel to {host}"


def _server_name(body: bytes) -> str:
    """The only name in a server_name extension: length of the list, type 0, length of the name, name (RFC 6066)."""
    if len(body) < 5 or body[2] != 0:
        raise ValueError("no name")
    if int.from_bytes(body[:2], "big") != len(body) - 2 or int.from_bytes(body[3:5], "big") != len(body) - 5:
        raise ValueError("not exactly one name")
    return body[5:].decode("ascii")


def may_be_tls(data: bytes) -> bool:
    """Whether this is, or may become, the beginning of a TLS handshake."""
    return data[:1] == b"\x16"


def may_be_http(data: bytes) -> bool:
    """Whether this begins like an HTTP request."""
    return METHOD.match(data) is not None
