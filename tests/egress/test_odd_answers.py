"""A key that a provider says again where no ordinary answer would have it: what comes back to the agent is without it."""

from __future__ import annotations

import gzip
import re
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Iterator

import net
import pytest
from world import API, PLACEHOLDER, REAL, Broker, World

PORT = 9443
HEAD = b"HTTP/1.1 200 OK\r\n"
UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def frame(opcode: int, payload: bytes) -> bytes:
    return bytes([0x80 | opcode, len(payload)]) + payload


# What the provider says for each path, with the key that it got.
ANSWERS = {
    "/plain": lambda key: HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(key), key),
    "/transfer-gzip": lambda key: HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked(gzip.compress(key)),
    "/transfer-gzip-to-the-end": lambda key: HEAD + b"Transfer-Encoding: gzip\r\n\r\n" + gzip.compress(key),
    "/no-header": lambda key: HEAD + key + b"\r\n\r\n",
    "/no-status": lambda key: b"HTTP/1.1 " + key + b"\r\n\r\n",
    "/no-end": lambda key: HEAD + b"X-Key: " + key,
    "/odd-length": lambda key: HEAD + b"Content-Length: " + key + b"\r\n\r\n",
    "/odd-encoding": lambda key: HEAD + b"Transfer-Encoding: " + key + b"\r\n\r\n",
    "/odd-name": lambda key: HEAD + b"X Y " + key + b": z\r\n\r\n",
    "/early-hint": lambda key: b"HTTP/1.1 103 Early Hints\r\nLink: " + key + b"\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n",
    "/ping": lambda key: UPGRADE + frame(9, key) + frame(1, b"end") + frame(8, b""),
    "/pong": lambda key: UPGRADE + frame(10, key) + frame(1, b"end") + frame(8, b""),
    "/close": lambda key: UPGRADE + frame(8, struct.pack(">H", 1008) + key),
    "/name": lambda key: HEAD + b"Content-Length: 0\r\nX-%s: x\r\n\r\n" % key,
}  # fmt: skip


def answer(sock: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head and (chunk := sock.recv(65536)):
        head += chunk
    path = head.split(b" ")[1].decode()
    found = re.search(rb"(?i)x-api-key: (\S+)", head)
    if found:
        sock.sendall(ANSWERS[path](found[1]))


@pytest.fixture(scope="module")
def provider(world: World) -> Iterator[None]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(world.folder / "provider.pem")
    with world.network.inside():
        listener = socket.create_server((net.PUBLIC, PORT))

    def serve() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(sock, server_side=True) as wrapped:
                    answer(wrapped)
                    wrapped.settimeout(1)
                    if wrapped.recv(100):
                        wrapped.recv(100)
            except (OSError, ValueError):
                pass

    threading.Thread(target=serve, daemon=True).start()
    yield
    listener.close()


@pytest.fixture(scope="module")
def broker(world: World, provider: None) -> Iterator[Broker]:
    with world.broker(world.rules(allow=[{"host": API, "ports": [PORT]}])) as found:
        yield found


def read(sock: socket.socket) -> bytes:
    data = b""
    sock.settimeout(3)
    try:
        while chunk := sock.recv(65536):
            data += chunk
    except OSError:
        pass
    return data


def ask(sock: socket.socket, path: str, key: str) -> bytes:
    """All that is said, and what is compressed in it."""
    more = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\nTE: gzip\r\n"
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {API}:{PORT}\r\nX-API-Key: {key}\r\n{more}\r\n".encode())
    data = read(sock)
    _, mark, packed = data.partition(b"\x1f\x8b")
    return data + (zlib.decompressobj(31).decompress(mark + packed) if mark else b"")


@pytest.mark.parametrize("path", ANSWERS)
def test_a_key_does_not_come_back_in_it(broker: Broker, inside: None, path: str) -> None:
    with broker.tunnel(f"{API}:{PORT}", API) as sock:
        data = ask(sock, path, PLACEHOLDER)
    assert REAL.encode() not in data
    assert PLACEHOLDER.encode() in data or b"compressed" in data
    assert REAL not in broker.stderr()


@pytest.mark.parametrize("path", ANSWERS)
def test_control_the_provider_says_it_to_whoever_sent_it(world: World, provider: None, inside: None, path: str) -> None:
    with socket.create_connection((net.PUBLIC, PORT)) as plain:
        with world.trust().wrap_socket(plain, server_hostname=API) as sock:
            assert REAL.encode() in ask(sock, path, REAL)


def test_an_answer_that_may_be_compressed_is_not_asked_for(shared: Broker, world: World, inside: None) -> None:
    for sent, arrives in (("gzip", None), ("trailers", "trailers"), ("trailers, gzip", None)):
        with shared.client() as client:
            client.get(f"https://{API}/", headers={"te": sent})
        assert world.application.seen[-1]["headers"].get("te") == arrives
