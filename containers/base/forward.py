"""forward.py PORT...: what the host sends to a PORT of the container's address goes to the same port of its loopback.

A published port arrives from the network's gateway, or from the broker. Whoever else is on that network is turned away.
"""

import asyncio
import socket
import sys
from pathlib import Path

PORTS = [int(word) for word in sys.argv[1:]]


def own_address() -> str:
    return socket.gethostbyname(socket.gethostname())


def gateway() -> str:
    for line in Path("/proc/net/route").read_text().splitlines():
        fields = line.split()
        if fields[1] == "00000000":
            return socket.inet_ntoa(int(fields[2], 16).to_bytes(4, "little"))
    return ""


def broker() -> str:
    try:
        return socket.gethostbyname("egress")
    except OSError:
        return ""


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if writer.get_extra_info("peername")[0] not in {gateway(), broker()} - {""}:
        writer.close()
        return
    try:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", writer.get_extra_info("sockname")[1])
    except OSError:
        writer.close()
        return
    await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))


async def main() -> None:
    servers = [await asyncio.start_server(forward, own_address(), port) for port in PORTS]
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
