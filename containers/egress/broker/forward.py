"""Inbound ports: what the host sends to a port of the broker goes to the agent (OAuth callbacks, Hermes' dashboard).

A published port arrives from the gateway of the outward network. Whoever else is on that network is turned away.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
from pathlib import Path

from broker.rules import Inbound

log = logging.getLogger("agentbox-egress")
CHUNK = 65536


class Outside:
    """The outward network, read from the kernel's routes: the one with the default route."""

    def __init__(self, routes: str) -> None:
        rows = [line.split() for line in routes.splitlines()[1:]]
        default = [row for row in rows if row[1] == "00000000" and row[7] == "00000000"]
        self.gateways = {_address(row[2]) for row in default}
        interfaces = {row[0] for row in default}
        self.networks = [
            ipaddress.ip_network((int(_address(row[1])), bin(int(row[7], 16)).count("1")))
            for row in rows
            if row[0] in interfaces and row[1] != "00000000"
        ]

    def holds(self, address: str) -> bool:
        """Whether a peer speaks from the outward network."""
        peer = ipaddress.ip_address(address)
        return any(peer in network for network in self.networks)

    def is_gateway(self, address: str) -> bool:
        """Whether a peer is the host. Where there is no outward network there is nobody else."""
        return not self.networks or ipaddress.ip_address(address) in self.gateways


def outside() -> Outside:
    """The outward network of this container."""
    return Outside(Path("/proc/self/net/route").read_text())


def is_ours(peer: tuple[str, int], here: tuple[str, int], table: str) -> bool:
    """Whether a loopback connection comes from a process of this user, by the kernel's table of TCP sockets: where the
    port is on the host's own loopback, other users can connect to it too."""
    wanted = [
        f"{int(ipaddress.IPv4Address(host)).to_bytes(4, 'little').hex().upper()}:{port:04X}"
        for host, port in (peer, here)
    ]
    rows = (line.split() for line in table.splitlines()[1:])
    return any(row[1:3] == wanted and int(row[7]) == os.getuid() for row in rows)


def _address(field: str) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(field, 16).to_bytes(4, "little"))


async def listen(inbound: Inbound, network: Outside) -> asyncio.Server:
    """Start to forward one port."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not network.is_gateway(writer.get_extra_info("peername")[0]):
            writer.close()
            return
        try:
            agent = await asyncio.to_thread(socket.create_connection, (inbound.host, inbound.port), 10)
        except OSError as error:
            log.warning("inbound %d: %s:%d: %s", inbound.listen, inbound.host, inbound.port, error)
            writer.close()
            return
        agent.setblocking(False)
        inner_reader, inner_writer = await asyncio.open_connection(sock=agent)
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        inner_writer.close()
        writer.close()

    return await asyncio.start_server(accept, "0.0.0.0", inbound.listen)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()
