"""The broker as a process in a network of its own, with providers around it, and a client's view of it."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import net
import trustme
import upstream
from interpreter import SOURCE, Interpreter

REAL, PLACEHOLDER = "sk-ant-real-0123456789abcdefghij", "sk-ant-agentbox-0123456789"
OAUTH_REAL, OAUTH_PLACEHOLDER = "sk-ant-oat01-real-abcdefghijklmnop", "sk-ant-oat01-agentbox-1234"
GIT_REAL, GIT_PLACEHOLDER = "ghp_RealRealRealRealRealRealRealReal", "ghp_agentbox0123456789012345"
GOOGLE_REAL, GOOGLE_PLACEHOLDER = "AIzaReal+/Real=RealRealReal", "AIza-agentbox-0123456789"

API, PLAIN, OTHER = "api.provider.example", "plain.example", "other.example"
NAMES = {
    API: [net.PUBLIC],
    PLAIN: [net.PUBLIC],
    OTHER: [net.OTHER_PUBLIC],
    "a.below.example": [net.PUBLIC],
    "below.example": [net.PUBLIC],
    "private.example": [net.PRIVATE],
    "mixed.example": [f"{net.PRIVATE} {net.PUBLIC}"],
    "metadata.example": ["169.254.169.254"],
    "loopback.example": ["127.0.0.1"],
    "zero.example": ["0.0.0.0"],
    # Nothing answers there.
    "closed.example": ["93.184.0.99"],
    "proxy.example": [net.PRIVATE],
}
SECRETS = {
    "ANTHROPIC_API_KEY": REAL,
    "CLAUDE_CODE_OAUTH_TOKEN": OAUTH_REAL,
    "GITHUB_TOKEN": GIT_REAL,
    "GOOGLE_API_KEY": GOOGLE_REAL,
}


class World:
    """The network, the providers in it, and what brokers need: certificates, secrets, a resolver."""

    def __init__(self, folder: Path, interpreter: Interpreter) -> None:
        self.folder, self.interpreter = folder, interpreter
        self.network = net.Network()
        self.provider_ca = trustme.CA()
        self.broker_ca = trustme.CA()
        for name in ("ca", "secrets"):
            (folder / name).mkdir()
        self.broker_ca.cert_pem.write_to_path(folder / "ca/ca.crt")
        self.broker_ca.private_key_pem.write_to_path(folder / "ca/ca.key")
        self.provider_ca.cert_pem.write_to_path(folder / "provider-ca.pem")
        for name, value in SECRETS.items():
            (folder / "secrets" / name).write_text(value + "\n")
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        names = [*NAMES, "*.example", net.PUBLIC, net.PRIVATE]
        certificate = self.provider_ca.issue_cert(*names)
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / "provider.pem")
        self.application, self.metadata = upstream.Application(), upstream.Application()
        pem = str(folder / "provider.pem")
        with self.network.inside():
            self.names = net.Names(NAMES)
            ports = dict.fromkeys((net.PUBLIC, net.OTHER_PUBLIC, net.PRIVATE), (443, 8443))
            binds = [f"{address}:{port}" for address, both in ports.items() for port in both]
            upstream.start(self.application, binds, [f"{net.PUBLIC}:80", f"{net.PRIVATE}:80"], (pem, pem))
            upstream.start(self.metadata, [], ["169.254.169.254:80", "127.0.0.1:80"], (pem, pem))

    def trust(self) -> ssl.SSLContext:
        """What an agent trusts: the broker's CA besides the world's."""
        return upstream.client_context(
            self.provider_ca.cert_pem.bytes().decode(), self.broker_ca.cert_pem.bytes().decode()
        )

    def rules(self, **changes: Any) -> dict[str, Any]:
        """Rules for the tests' provider, with some of it changed."""
        with self.network.inside(), socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        api = {"hosts": [API], "query": []}
        return {
            "version": 1, "agent": "claude", "run": "test", "mode": "allowlist", "listen": port,
            "allow": [{"host": API, "from": "agents/claude.toml"}, {"host": PLAIN}, {"host": "*.below.example"}],
            "inject": [
                {"name": "ANTHROPIC_API_KEY", "headers": ["x-api-key", "authorization"], "placeholder": PLACEHOLDER, **api},
                {"name": "CLAUDE_CODE_OAUTH_TOKEN", "headers": ["authorization"], "placeholder": OAUTH_PLACEHOLDER, **api},
                {"name": "GITHUB_TOKEN", "headers": ["authorization"], "placeholder": GIT_PLACEHOLDER, **api},
                {"name": "GOOGLE_API_KEY", "headers": [], "placeholder": GOOGLE_PLACEHOLDER, "hosts": [API], "query": ["key"]},
            ],
            "ca_bundle": str(self.folder / "provider-ca.pem"),
        } | changes  # fmt: skip

    def surround(self) -> None:
        """To be called in a child before exec: its name server, and where it has another root its files in there."""
        net.with_resolver(self.folder / "resolv.conf", self.interpreter.root, [self.folder.parent, SOURCE])

    def broker(self, rules: dict[str, Any] | None = None, *options: str) -> Broker:
        """A running broker."""
        return Broker(self, rules or self.rules(), options)


class Broker:
    """One broker, its rules and its log. Use it in a `with` block."""

    def __init__(self, world: World, rules: dict[str, Any], options: tuple[str, ...] = ()) -> None:
        self.world, self.port = world, rules.get("listen", 0)
        self.folder = Path(subprocess.check_output(["mktemp", "-d", f"{world.folder}/broker.XXXX"], text=True).strip())
        for name in ("rules", "log", "state"):
            (self.folder / name).mkdir()
        self.write(rules)
        places = {"rules": "rules/rules.json", "log": "log", "state": "state"}
        argv = [
            *world.interpreter.argv,
            "-m",
            "broker",
            "--secrets",
            f"{world.folder}/secrets",
            "--ca",
            f"{world.folder}/ca",
        ]
        argv += [word for name, place in places.items() for word in (f"--{name}", f"{self.folder}/{place}")]
        with world.network.inside():
            self.process = subprocess.Popen(
                [*argv, *options],
                env={"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]},
                stdout=subprocess.PIPE,
                stderr=(self.folder / "stderr").open("wb"),
                preexec_fn=world.surround,  # noqa: PLW1509  its own mounts
            )

    def __enter__(self) -> Broker:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert b"ready" in line, self.stderr()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def write(self, rules: dict[str, Any] | str) -> None:
        """Replace rules.json as the host does: beside it, then renamed."""
        beside = self.folder / "rules/new"
        beside.write_text(rules if isinstance(rules, str) else json.dumps(rules))
        beside.replace(self.folder / "rules/rules.json")

    def stderr(self) -> str:
        """What it said."""
        return (self.folder / "stderr").read_text()

    def audit(self) -> list[dict[str, Any]]:
        """The audit log, once what is on its way has been written."""
        time.sleep(0.1)
        file = self.folder / "log/audit.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def resident(self) -> int:
        """Its memory, in MiB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) // 1024
        raise AssertionError("the broker is gone")

    def client(self, *, http2: bool = False, **options: Any) -> httpx.Client:
        """An HTTP client that goes through it. Use it inside the network."""
        return httpx.Client(
            proxy=f"http://127.0.0.1:{self.port}",
            verify=self.world.trust(),
            http2=http2,
            trust_env=False,
            timeout=30,
            **options,
        )

    def connect(self, target: str, extra: str = "") -> tuple[socket.socket, str]:
        """A raw CONNECT; the socket, and the answer's head (with the body where it is a refusal)."""
        sock = socket.create_connection(("127.0.0.1", self.port), 20)
        sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{extra}\r\n".encode("latin-1"))
        return sock, read_answer(sock)

    def tunnel(
        self, target: str, server_name: str, alpn: list[str] | None = None, context: ssl.SSLContext | None = None
    ) -> ssl.SSLSocket:
        """TLS to a server name in a tunnel to a target, with a context of its own if none is given."""
        sock, answer = self.connect(target)
        assert answer.startswith("HTTP/1.1 200"), answer
        if not context:
            context = self.world.trust()
            context.set_alpn_protocols(alpn or [])
        return context.wrap_socket(sock, server_hostname=server_name)


def read_answer(sock: socket.socket) -> str:
    """An HTTP/1 answer whose length is given, or that has none."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (chunk := sock.recv(65536)):
            return data.decode("latin-1")
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length and (chunk := sock.recv(65536)):
        body += chunk
    return (head + b"\r\n\r\n" + body).decode("latin-1")
