"""Long answers, large uploads, many at once, WebSocket, HTTP/2; and what happens when one side goes away."""

from __future__ import annotations

import concurrent.futures
import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect as websocket
from world import API, OAUTH_PLACEHOLDER, OAUTH_REAL, PLACEHOLDER, PLAIN, Broker, World

pytestmark = [pytest.mark.usefixtures("inside"), pytest.mark.slow]
MEGABYTE = 1 << 20


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize("host", [API, PLAIN])
def test_events_arrive_one_by_one(shared: Broker, host: str, http2: bool) -> None:
    """No event waits for the next one, which is sent when this one has arrived."""
    events = f"https://{host}/events?awaited&pause=0"
    with (
        shared.client(http2=http2) as client,
        client.stream("GET", events, headers={"x-api-key": PLACEHOLDER}) as answer,
    ):
        lines = []
        for line in filter(None, answer.iter_lines()):
            lines.append(line)
            client.get(f"https://{host}/arrived")
    assert lines == [f"data: {number}" for number in range(4)]


def pieces(megabytes: int) -> Iterator[bytes]:
    for _ in range(megabytes * 16):
        yield b"x" * 65536


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize("host", [API, PLAIN])
def test_upload_is_not_held_in_memory(world: World, host: str, http2: bool) -> None:
    megabytes = 20 if http2 else 100
    with world.broker() as broker, broker.client(http2=http2) as client:
        assert client.get(f"https://{host}/").status_code == 200
        before = broker.resident()
        answer = client.post(f"https://{host}/", content=pieces(megabytes), headers={"x-api-key": PLACEHOLDER})
        assert answer.json()["length"] == megabytes * MEGABYTE
        assert broker.resident() - before < 30


@pytest.mark.parametrize("host", [API, PLAIN])
def test_download_that_nobody_reads_is_not_held_in_memory(world: World, host: str) -> None:
    with world.broker() as broker, broker.tunnel(f"{host}:443", host, ["http/1.1"]) as sock:
        before = broker.resident()
        sock.sendall(f"GET /large?chunks=3200 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        time.sleep(2)
        assert broker.resident() - before < 30


def test_many_downloads_that_nobody_reads_stay_within_the_limit(world: World) -> None:
    """In the pieces of a single download (pieces.py), these would be three times as large."""
    with world.broker() as broker, contextlib.ExitStack() as open_ones:
        for _ in range(100):
            sock = open_ones.enter_context(broker.tunnel(f"{API}:443", API, ["http/1.1"]))
            sock.sendall(f"GET /large?chunks=3200 HTTP/1.1\r\nHost: {API}\r\n\r\n".encode())
        time.sleep(3)
        assert broker.resident() < 200


@pytest.mark.parametrize("host", [API, PLAIN])
def test_two_hundred_streams_at_once(world: World, host: str) -> None:
    """All are open at the same time, each gets all of its events."""
    open_at_once, most, lock = 0, 0, threading.Lock()

    def one(number: int) -> int:
        nonlocal open_at_once, most
        with world.network.inside(), broker.tunnel(f"{host}:443", host, ["http/1.1"]) as sock:
            sock.settimeout(60)
            sock.sendall(f"GET /events?pause=3&count=3 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            data = sock.recv(65536)
            with lock:
                open_at_once += 1
                most = max(most, open_at_once)
            while chunk := sock.recv(65536):
                data += chunk
            with lock:
                open_at_once -= 1
            return data.count(b"data: ")

    with world.broker() as broker, concurrent.futures.ThreadPoolExecutor(200) as pool:
        assert list(pool.map(one, range(200))) == [3] * 200
        assert broker.resident() < 250
    assert most > 100


@pytest.mark.parametrize("host", [API, PLAIN])
def test_websocket(shared: Broker, world: World, host: str) -> None:
    """Messages go both ways; the key is in the handshake and, where it is said again, masked."""
    with websocket(
        f"wss://{host}/ws", sock=shared.connect(f"{host}:443")[0], ssl=world.trust(), proxy=None,
        additional_headers={"authorization": f"Bearer {OAUTH_PLACEHOLDER}"},
    ) as connection:  # fmt: skip
        assert connection.recv() == f"Bearer {OAUTH_PLACEHOLDER}"
        for message in ("hello", b"\0\1", "x" * 200_000):
            connection.send(message)
            assert connection.recv() == message
    sent = OAUTH_REAL if host == API else OAUTH_PLACEHOLDER
    assert world.application.seen[-1]["headers"]["authorization"] == f"Bearer {sent}"


def test_slow_provider_is_waited_for(shared: Broker) -> None:
    with shared.client() as client:
        assert client.get(f"https://{API}/slow?seconds=3").text == "at last"


def test_idle_connection_lives_until_the_timeout_only(world: World) -> None:
    """The control is the same silence with the timeout set low. The product's own timeout is hours."""
    with world.broker(None, "--idle", "1") as broker, broker.client() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(f"https://{API}/slow?seconds=4")
    with world.broker(None, "--idle", "3600") as broker, broker.client() as client:
        assert client.get(f"https://{API}/slow?seconds=4").text == "at last"


@pytest.mark.parametrize("host", [API, PLAIN])
def test_client_that_goes_away_mid_stream_leaves_nothing_open(world: World, host: str) -> None:
    with world.broker() as broker:
        sock = broker.tunnel(f"{host}:443", host, ["http/1.1"])
        before = descriptors(broker)
        sock.sendall(f"GET /events?count=100 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert sock.recv(65536)
        sock.close()
        time.sleep(1.5)
        assert descriptors(broker) <= before - 2


def test_refused_uploads_leave_nothing_open(world: World) -> None:
    """Twenty clients are refused while they are still sending."""
    with world.broker() as broker:
        before = descriptors(broker)
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", broker.port)) as sock:
                sock.sendall(
                    b"POST http://other.example/ HTTP/1.1\r\nHost: other.example\r\nContent-Length: 90000000\r\n\r\n"
                )
                with pytest.raises(ConnectionError):
                    for _ in range(1000):
                        sock.sendall(b"x" * 65536)
        time.sleep(0.5)
        assert descriptors(broker) <= before + 1


def descriptors(broker: Broker) -> int:
    return len(list(Path(f"/proc/{broker.process.pid}/fd").iterdir()))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("host", [API, PLAIN])
def test_broker_that_dies_mid_stream_ends_the_stream_at_once(world: World, host: str, how: int) -> None:
    """And the next request is refused by the kernel, not waited for."""
    with world.broker() as broker:
        sock = broker.tunnel(f"{host}:443", host, ["http/1.1"])
        sock.settimeout(5)
        sock.sendall(f"GET /events?count=100 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert sock.recv(65536)
        broker.process.send_signal(how)
        broker.process.wait(5)
        with pytest.raises((ConnectionError, EOFError, OSError)):
            while True:
                if not sock.recv(65536):
                    raise EOFError
        with pytest.raises(ConnectionRefusedError):
            broker.connect(f"{host}:443")
    with world.broker() as again:
        assert again.connect(f"{host}:443")[1].startswith("HTTP/1.1 200")
