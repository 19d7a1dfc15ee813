"""Servers on the host, to be reached from a container or not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Says REACHED; /redirect leads to the server's `elsewhere`, /headers says what came."""

    def do_GET(self) -> None:
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("location", self.server.elsewhere)  # type: ignore[attr-defined]
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"REACHED\n" + (str(self.headers).encode() if self.path == "/headers" else b""))

    def log_message(self, *_: object) -> None:
        return


class BothFamilies(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def listening(elsewhere: str = "", address: str = "0.0.0.0") -> Iterator[int]:
    """A web server on all of the host's addresses, `::` for those of IPv6 too; its port."""
    server = (BothFamilies if ":" in address else ThreadingHTTPServer)((address, 0), Handler)
    server.elsewhere = elsewhere  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


class Datagrams(threading.Thread):
    """A UDP server at an address of the host, or at all, that keeps what it gets, and answers."""

    def __init__(self, answer: Callable[[bytes], bytes], address: str = "0.0.0.0") -> None:
        super().__init__(daemon=True)
        self.answer = answer
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.port = self.socket.getsockname()[1]
        self.seen: list[bytes] = []

    def run(self) -> None:
        while True:
            try:
                data, sender = self.socket.recvfrom(4096)
            except OSError:
                return
            self.seen.append(data)
            self.socket.sendto(self.answer(data), sender)


@contextmanager
def datagrams(answer: Callable[[bytes], bytes] = lambda _: b"REACHED", address: str = "0.0.0.0") -> Iterator[Datagrams]:
    server = Datagrams(answer, address)
    server.start()
    yield server
    server.socket.close()
