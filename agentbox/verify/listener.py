"""A container of verify's own that listens on a network of its own: what arrives there got out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agentbox import owner
from agentbox.engine import OWNER, Engine
from agentbox.errors import AgentboxError
from agentbox.hosts import parse
from agentbox.identity import Identity
from agentbox.policy_model import Allowed, Policy
from agentbox.state import make_dir

PORT, LISTED_PORT, UDP_PORT, DNS_PORT = 8000, 8001, 8002, 53
LISTED, UNLISTED = "listed.agentbox.test", "unlisted.agentbox.test"
# None of those that agents leave their proxy aside for.
HERE = "127.0.0.2"
PROGRAM = Path(__file__).resolve().parent / "inside" / "listener.py"


@dataclass(frozen=True, slots=True)
class Listener:
    """Where it is, and the file in which it writes what arrived."""

    network: str
    address: str
    log: Path
    port: int = PORT
    listed: int = LISTED_PORT
    udp: int = UDP_PORT
    dns: int = DNS_PORT

    def heard(self, token: str) -> bool:
        with suppress(OSError):
            return token in self.log.read_text(errors="replace")
        return False

    def known_to(self, policy: Policy) -> Policy:
        """The policy with one host more on the allow-list: the listener, under one of its names and at one port."""
        network = policy.network
        allowed = Allowed(parse(f"{LISTED}:{self.listed}", private=True), "agentbox verify")
        names = {LISTED: self.address, UNLISTED: self.address}
        changed = network._replace(allowed=(*network.allowed, allowed), addresses={**network.addresses, **names})
        return policy._replace(network=changed)

    @property
    def curlrc(self) -> str:
        """The names for curl, where no resolver could be told of them. Whoever asks a proxy leaves names to that."""
        if self.network:
            return ""
        pairs = [(name, port) for name in (LISTED, UNLISTED) for port in (self.port, self.listed)]
        return "".join(f'resolve = "{name}:{port}:{self.address}"\n' for name, port in pairs)

    @property
    def names(self) -> dict[str, str]:
        return {
            "LISTENER": self.address, "PORT": str(self.port), "UDP_PORT": str(self.udp), "DNS_PORT": str(self.dns),
            "LISTED": LISTED, "UNLISTED": UNLISTED, "LISTED_PORT": str(self.listed),
        }  # fmt: skip


@contextmanager
def listening(engine: Engine, image: str, identity: Identity, folder: Path) -> Iterator[Listener]:
    """The listener, for as long as the block lasts. Its labels let `agentbox clean` remove it after a crash."""
    name = f"agentbox-verify-{os.urandom(6).hex()}"
    labels = {OWNER: owner.current()}
    make_dir(folder, identity)
    log = folder / "arrived"
    engine.create_network(name, labels)
    try:
        addresses = engine.start(
            image,
            ["-I", "/listener.py", "/log/arrived", UNLISTED],
            entrypoint="/usr/bin/python3",
            name=name,
            user=f"{identity.uid}:{identity.gid}",
            network=name,
            labels=labels,
            init=True,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            pids_limit=64,
            mem_limit=128 << 20,
            volumes={str(PROGRAM): {"bind": "/listener.py", "mode": "ro"}, str(folder): {"bind": "/log", "mode": "rw"}},
        )
        yield Listener(name, addresses[name], log)
    finally:
        with suppress(AgentboxError):
            engine.remove(name)
            engine.remove_network(name)


@contextmanager
def listening_here(identity: Identity, folder: Path) -> Iterator[Listener]:
    """The same as a process of this machine, at one of its loopback's addresses and at free ports."""
    make_dir(folder, identity)
    log = folder / "arrived"
    words = [sys.executable, "-I", "-S", str(PROGRAM), str(log), UNLISTED, HERE]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/", env={})
    try:
        assert process.stdout is not None
        ports = [int(word) for word in process.stdout.readline().split()]
        yield Listener("", HERE, log, *ports)
    finally:
        process.kill()
        process.communicate()
