"""Larger pieces than mitmproxy's own 64 KiB, for which it has no option: what each costs in Python is most of what a
large answer costs. Only while connections are few: where nobody reads what arrives, each holds several pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Sized
from typing import Any

USUAL, PIECE = 65535, 1 << 18
# What TLS adds to a piece must fit too, or each is sent in two.
WITH_TLS = PIECE + (1 << 13)
FEW = 16


def enlarge(connections: Sized) -> None:
    """To be called once, before the first of the connections."""
    from OpenSSL import SSL

    initialise, read, bio_read = asyncio.StreamReader.__init__, asyncio.StreamReader.read, SSL.Connection.bio_read

    def larger_limit(self: asyncio.StreamReader, limit: int = USUAL, loop: Any = None) -> None:
        initialise(self, PIECE if len(connections) < FEW else limit, loop)

    async def larger_read(self: asyncio.StreamReader, n: int = -1) -> bytes:
        return await read(self, PIECE if n == USUAL and len(connections) <= FEW else n)

    def larger_bio_read(self: Any, n: int) -> bytes:
        return bytes(bio_read(self, WITH_TLS if n == USUAL else n))

    patched: list[tuple[Any, str, Any]] = [
        (asyncio.StreamReader, "__init__", larger_limit),
        (asyncio.StreamReader, "read", larger_read),
        (SSL.Connection, "bio_read", larger_bio_read),
    ]
    for place, name, function in patched:
        setattr(place, name, function)
