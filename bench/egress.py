"""The broker beside a direct connection, in one run: ``python -m bench.egress`` (root, for a network of its own).

Provider, broker and client are processes of their own on one machine's loopback. What is compared alternates, so that all
see the same machine; numbers are medians.
"""

from __future__ import annotations

import multiprocessing
import socket
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "egress"))

import interpreter as interpreters  # noqa: E402
import net  # noqa: E402  (the tests' folder is not a package)
from world import API, PLAIN, Broker, World  # noqa: E402

PORT = 9443
MEGABYTES = 256
BLOCK = b"x" * (1 << 20)
STREAMS = 200
Dial = Callable[[], ssl.SSLSocket]


def provider(certificate: str, listener: socket.socket) -> None:
    """`GET /N` answers with N MiB; `/slow` with three events in three seconds. In C, as far as Python can be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(raw: socket.socket) -> None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with context.wrap_socket(raw, server_side=True) as sock:
                while request := sock.recv(65536):
                    path = request.split(b" ")[1]
                    if path == b"/slow":
                        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                        for _ in range(3):
                            sock.sendall(b"data: x\n\n")
                            time.sleep(1)
                        return
                    blocks = int(path[1:])
                    sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {blocks * len(BLOCK) + 2}\r\n\r\nok".encode())
                    for _ in range(blocks):
                        sock.sendall(BLOCK)
        except OSError:
            pass

    while True:
        threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()


def exchange(sock: ssl.SSLSocket, host: str) -> None:
    """A small request and its whole answer."""
    sock.sendall(f"GET /0 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\nok"):
        answer += sock.recv(65536)


def throughput(sock: ssl.SSLSocket, host: str) -> float:
    """MB/s of one large answer."""
    sock.sendall(f"GET /{MEGABYTES} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    start, left, buffer = time.perf_counter(), MEGABYTES << 20, bytearray(1 << 18)
    while left > 0:
        received = sock.recv_into(buffer)
        if not received:
            raise EOFError("the answer is short")
        left -= received
    return MEGABYTES * 1.048576 / (time.perf_counter() - start)


def crowd(broker: Broker, world: World, host: str) -> tuple[int, int]:
    """(how many of STREAMS got all of their events, the broker's memory in MiB meanwhile)."""
    whole: list[int] = []

    def one() -> None:
        with world.network.inside(), broker.tunnel(f"{host}:{PORT}", host, ["http/1.1"]) as sock:
            sock.sendall(f"GET /slow HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            data = b""
            while chunk := sock.recv(65536):
                data += chunk
            whole.append(data.count(b"data: x"))

    threads = [threading.Thread(target=one) for _ in range(STREAMS)]
    for thread in threads:
        thread.start()
    most = 0
    while any(thread.is_alive() for thread in threads):
        most = max(most, broker.resident())
        time.sleep(0.1)
    return whole.count(3), most


def main() -> None:
    """Measure and print."""
    interpreter = interpreters.find()
    if why := net.unusable() or (None if interpreter else "mitmproxy needs Python 3.12 or newer, or an engine"):
        sys.exit(f"bench.egress: {why}")
    assert interpreter
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), interpreter)
        with world.network.inside():
            listener = socket.create_server((net.PUBLIC, PORT), backlog=500)
            process = multiprocessing.get_context("fork").Process(
                target=provider, args=(f"{folder}/provider.pem", listener), daemon=True
            )
            process.start()
            measure(world)
            process.kill()


def measure(world: World) -> None:
    """All rows."""
    rules = world.rules(allow=[{"host": host, "ports": [PORT]} for host in (API, PLAIN)])
    starts = []
    for _ in range(5):
        begun = time.perf_counter()
        with world.broker(rules):
            starts.append(time.perf_counter() - begun)
    print(f"{'start to ready':42}{statistics.median(starts):10.2f} s")
    with world.broker(rules) as broker:
        print(f"{'memory after the start':42}{broker.resident():10} MiB")
        context = world.trust()
        context.set_alpn_protocols(["http/1.1"])

        def direct() -> ssl.SSLSocket:
            return context.wrap_socket(socket.create_connection((net.PUBLIC, PORT)), server_hostname=PLAIN)

        ways: dict[str, tuple[str, Dial]] = {
            "direct": (PLAIN, direct),
            "tunnelled": (PLAIN, lambda: broker.tunnel(f"{PLAIN}:{PORT}", PLAIN, context=context)),
            "intercepted": (API, lambda: broker.tunnel(f"{API}:{PORT}", API, context=context)),
        }
        compare(ways)
        for way in ("tunnelled", "intercepted"):
            good, most = crowd(broker, world, ways[way][0])
            print(f"{f'{STREAMS} streams at once, {way}':42}{good:10} whole, {most} MiB")


def compare(ways: dict[str, tuple[str, Dial]]) -> None:
    """First byte, next byte and throughput, each way in turn."""
    first: dict[str, list[float]] = {way: [] for way in ways}
    later: dict[str, list[float]] = {way: [] for way in ways}
    rate: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(40):
        for way, (host, dial) in ways.items():
            start = time.perf_counter()
            with dial() as sock:
                exchange(sock, host)
                first[way].append((time.perf_counter() - start) * 1000)
                start = time.perf_counter()
                exchange(sock, host)
                later[way].append((time.perf_counter() - start) * 1000)
    for _ in range(5):
        for way, (host, dial) in ways.items():
            with dial() as sock:
                rate[way].append(throughput(sock, host))
    print(f"\n{'':14}{'first byte':>14}{'more':>9}{'next byte':>13}{'more':>9}{'throughput':>15}{'ratio':>8}")
    for way in ways:
        one, two, three = (statistics.median(found[way]) for found in (first, later, rate))
        zero, zwei, drei = (statistics.median(found["direct"]) for found in (first, later, rate))
        print(
            f"{way:14}{one:11.2f} ms{one - zero:+9.2f}{two:10.2f} ms{two - zwei:+9.2f}"
            f"{three:10.0f} MB/s{three / drei:8.2f}"
        )
    print()


if __name__ == "__main__":
    main()
