"""The providers' own hosts, played by this machine: a model server with a certificate that the broker, and only it, trusts."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from boxes import Agent, Box
from fake_model import FakeModel, Step

HOSTS = ("api.anthropic.com", "openrouter.ai", "api.openai.com", "github.com", "platform.claude.com", "wrong.example")


@dataclass(frozen=True)
class Login:
    """An agent and the one variable that holds its key. `files` are what it needs besides, `turn` takes their place of Agent.turn."""

    agent: str
    variable: str
    host: str
    files: dict[str, object]
    turn: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"sk-real-{self.agent}-{self.variable.lower().replace('_', '-')}-0123456789"


OPENCODE = {"permission": {"*": "allow"}}
HERMES = "model:\n  provider: {}\n  default: {}\n"
LOGINS = (
    Login("pi", "ANTHROPIC_API_KEY", "api.anthropic.com", {}),
    Login(
        "pi", "OPENROUTER_API_KEY", "openrouter.ai", {},
        turn=("-p", "--provider", "openrouter", "--model", "anthropic/claude-sonnet-4.5", "show me the file"),
    ),
    Login("claude", "ANTHROPIC_API_KEY", "api.anthropic.com", {}),
    Login("claude", "ANTHROPIC_AUTH_TOKEN", "api.anthropic.com", {}),
    Login("claude", "CLAUDE_CODE_OAUTH_TOKEN", "api.anthropic.com", {}),
    Login(
        "opencode", "ANTHROPIC_API_KEY", "api.anthropic.com",
        {".config/opencode/opencode.json": OPENCODE | {"model": "anthropic/claude-sonnet-4-5"}},
    ),
    Login(
        "opencode", "OPENROUTER_API_KEY", "openrouter.ai",
        {".config/opencode/opencode.json": OPENCODE | {"model": "openrouter/anthropic/claude-sonnet-4.5"}},
    ),
    Login("hermes", "OPENROUTER_API_KEY", "openrouter.ai", {".hermes/config.yaml": HERMES.format("openrouter", "fake-model")}),
    Login(
        "hermes", "ANTHROPIC_API_KEY", "api.anthropic.com",
        {".hermes/config.yaml": HERMES.format("anthropic", "claude-sonnet-4-5")},
    ),
)  # fmt: skip
# These take their keys out of their tools' environment by themselves.
KEEP_THEIR_OWN = {
    ("hermes", "OPENROUTER_API_KEY"),
    ("hermes", "ANTHROPIC_API_KEY"),
    ("claude", "CLAUDE_CODE_OAUTH_TOKEN"),
}


def seed(login: Login, box: Box) -> None:
    for path, content in login.files.items():
        box.put(path, content)  # type: ignore[arg-type]


def turn(login: Login, agent: Agent) -> tuple[str, ...]:
    return login.turn or agent.turn


def own_address() -> str:
    """An address of the host that is not a bridge's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def server(gateway: str, script: Sequence[Step], tls: ssl.SSLContext) -> tuple[FakeModel, str]:
    """The model server and its address: the gateway's, or another of the host's where other tests are at that one."""
    try:
        return FakeModel(script, host=gateway, port=443, tls=tls), gateway
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    return FakeModel(script, host=own_address(), port=443, tls=tls), own_address()


@contextmanager
def provider(box: Box, gateway: str, script: Sequence[Step], folder: Path) -> Iterator[FakeModel]:
    """All of HOSTS at once, at port 443 of the host; `box` is set up so that its broker finds and trusts them.

    AGENTBOX_CA_BUNDLE becomes a file in which the test's own authority stands beside those that it named before.
    """
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*HOSTS).configure_cert(context)
    bundle = folder / "bundle.pem"
    usual = os.environ.get("AGENTBOX_CA_BUNDLE", "")
    bundle.write_bytes((Path(usual).read_bytes() if usual else b"") + authority.cert_pem.bytes())
    listening, address = server(gateway, script, context)
    addresses = "\n".join(f'"{host}" = "{address}"' for host in HOSTS)
    private = ", ".join(f'"{host}"' for host in HOSTS if host != "wrong.example")
    box.put(
        ".config/agentbox/config.toml",
        f"[network]\nprivate = [{private}]\n[network.addresses]\n{addresses}\n",
    )
    with pytest.MonkeyPatch.context() as patch, listening as model:
        patch.setenv("AGENTBOX_CA_BUNDLE", str(bundle))
        yield model
