"""Looks names up and judges where they lead; and an event loop that connects to nothing else.

Judging one answer and connecting by another is what rebinding lives on. So there is one look-up, its judged addresses
are kept for the connection, and the loop's own look-up, which every connection by name ends in, knows only these.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from broker.addresses import as_address, may_be_allowed, objection

# What `socket.getaddrinfo` returns: family, type, protocol, canonical name, socket address.
Info = tuple[Any, Any, int, str, tuple[Any, ...]]
KEPT_SECONDS = 5.0
KEPT_NAMES = 500
TIMEOUT = 10.0


class Refused(Exception):
    """A name leads nowhere that it may lead to."""

    def __init__(self, reason: str, remediable: bool) -> None:
        super().__init__(reason)
        self.remediable = remediable


class Unknown(Exception):
    """A name cannot be looked up."""


class Resolver:
    """Judged addresses by host and port, for a few seconds. `named` hosts have these addresses and are not looked up;
    where one of them is a loopback address, its name is what the rules must allow."""

    def __init__(self, named: Mapping[str, str] | None = None) -> None:
        self._judged: OrderedDict[tuple[str, int], tuple[float, bool, list[Info]]] = OrderedDict()
        self._named = dict(named or {})

    async def judge(self, host: str, port: int, *, private: bool) -> None:
        """Look the host up unless that was just done. Raises Refused where no address of it will do, and Unknown."""
        known = self._judged.get((host, port))
        if known and known[1] == private and known[0] > time.monotonic():
            return
        address = self._named.get(host)
        if address and private and ipaddress.ip_address(address).is_loopback:
            await self.trust(address, port, name=host)
            return
        infos = await _look_up(address or host, port)
        objections = {info[4][0]: objection(ipaddress.ip_address(info[4][0]), private) for info in infos}
        good = [info for info in infos if not objections[info[4][0]]]
        if not good:
            address, what = next(iter(objections.items()))
            subject = host if as_address(host) else f"{host} leads to {address}, which"
            raise Refused(f"{subject} is {what}", may_be_allowed(ipaddress.ip_address(address)))
        self._keep(host, port, private, good)

    async def trust(self, host: str, port: int, *, name: str = "") -> None:
        """Look up a host that is meant wherever it is: a proxy of the rules', or this machine under a `name`."""
        self._keep(name or host, port, True, await _look_up(host, port))

    def judged(self, host: str, port: int) -> list[Info]:
        """What `judge` let through. Raises OSError for anything else."""
        try:
            return self._judged[host, port][2]
        except KeyError:
            raise OSError(f"{host}:{port} has not been judged") from None

    def _keep(self, host: str, port: int, private: bool, infos: list[Info]) -> None:
        self._judged[host, port] = time.monotonic() + KEPT_SECONDS, private, infos
        self._judged.move_to_end((host, port))
        while len(self._judged) > KEPT_NAMES:
            self._judged.popitem(last=False)


async def _look_up(host: str, port: int) -> list[Info]:
    loop = asyncio.get_running_loop()
    # Compose gives the broker no search domain. A dot at the end would have that effect too, but hide /etc/hosts.
    look_up = loop.run_in_executor(None, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    try:
        return await asyncio.wait_for(look_up, TIMEOUT)
    except TimeoutError:
        raise Unknown(f"{host}: the name server does not answer") from None
    except (OSError, UnicodeError) as error:
        raise Unknown(f"{host}: {getattr(error, 'strerror', None) or error}") from None


class JudgedLoop(asyncio.SelectorEventLoop):
    """The event loop of the broker: a name leads to judged addresses or nowhere. Where a listening socket was handed
    to the broker, its first server is on that one."""

    resolver: Resolver
    inherited: socket.socket | None = None

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        """Called by asyncio for each server."""
        if JudgedLoop.inherited is None:
            return await super().create_server(protocol_factory, host, port, **more)
        taken, JudgedLoop.inherited = JudgedLoop.inherited, None
        return await super().create_server(protocol_factory, sock=taken, **more)

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        """Called by asyncio for each connection by name."""
        return self.resolver.judged(host, port)
