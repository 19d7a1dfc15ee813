"""The guards leave the agent itself alone: each writes its credential file anew, and works with what it wrote."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from boxes import AGENTS, Box, finished
from fake_model import RENEWED, FakeModel
from holds import containers
from provider import provider

NEW = str(RENEWED["access_token"])
OLD = "sk-ant-oat01-expired"
EXPIRED = int(time.time() * 1000) - 1000
LOGINS = {
    "claude": (
        ".claude/.credentials.json",
        {
            "claudeAiOauth": {
                "accessToken": OLD,
                "refreshToken": "sk-ant-ort01-first",
                "expiresAt": EXPIRED,
                "scopes": ["user:inference", "user:profile"],
                "subscriptionType": "max",
            }
        },
    ),
    "pi": (
        ".pi/agent/auth.json",
        {
            "anthropic": {
                "type": "oauth",
                "access": OLD,
                "refresh": "sk-ant-ort01-first",
                "expires": EXPIRED,
            }
        },
    ),
}


def trust(box: Box, folder: Path) -> list[str]:
    """Options by which an agent trusts the provider's own certificate: where no key is to be swapped, the broker looks at none."""
    shutil.copy(folder / "bundle.pem", box.workspace)
    names = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    return [word for name in names for word in ("-e", f"{name}=/workspace/bundle.pem")]


@pytest.mark.parametrize("name", LOGINS)
def test_an_expired_login_is_renewed_in_its_file(name: str, box: Box, gateway: str, tmp_path: Path) -> None:
    agent = AGENTS[name]
    path, login = LOGINS[name]
    file = box.put(path, login)
    with provider(box, gateway, [], tmp_path) as model:
        run = box.run(name, *agent.turn, options=(*agent.options, *trust(box, tmp_path)))

    assert run.returncode == 0, run.stderr
    assert len([request for request in model.requests if request.path.endswith("/oauth/token")]) == 1
    assert NEW in model.credentials
    assert OLD not in model.credentials
    assert NEW in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_hermes_logs_in_with_its_own_command(box: Box, gateway: str, tmp_path: Path) -> None:
    box.put(".hermes/config.yaml", "model:\n  provider: openrouter\n  default: fake-model\n")
    with provider(box, gateway, [], tmp_path) as model:
        login = box.run("hermes", "auth", "add", "openrouter", "--type", "api-key", "--api-key", "sk-or-v1-new-login")
        run = box.run("hermes", *AGENTS["hermes"].turn, options=trust(box, tmp_path))

    assert login.returncode == 0, login.stderr
    assert "sk-or-v1-new-login" in (box.home / ".hermes/auth.json").read_text()
    assert run.returncode == 0, run.stderr
    assert model.credentials == {"sk-or-v1-new-login"}


# --- opencode logs in through its server, which has a password ----------------------------------------------------------


class Served:
    """`opencode serve` through agentbox: `curl` asks it from its own container, as a tool would."""

    def __init__(self, box: Box) -> None:
        words = [sys.executable, "-m", "agentbox", "run", "opencode", "--", "serve", "--port", "4096"]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(words, env=box.environment(), cwd=box.workspace, **pipes)
        self.password = ""
        assert self.process.stderr and self.process.stdout
        for line in self.process.stderr:
            if line.startswith("agentbox: user opencode, password "):
                self.password = line.split()[-1]
                break
        assert any("listening" in line for line in self.process.stdout)
        (self.container,) = containers(box)

    def curl(self, path: str, *options: str) -> str:
        command = ["curl", "-s", "-w", "\n%{http_code}", f"http://127.0.0.1:4096{path}", *options]
        return finished(["docker", "exec", self.container, *command]).stdout

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=60)


@pytest.fixture
def served(box: Box, gateway: str) -> Iterator[tuple[Served, FakeModel]]:
    agent = AGENTS["opencode"]
    with FakeModel([], host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        server = Served(box)
        try:
            yield server, model
        finally:
            server.stop()


def test_opencodes_server_asks_for_its_password_and_logs_in(box: Box, served: tuple[Served, FakeModel]) -> None:
    server, model = served
    agent = AGENTS["opencode"]
    user = ("-u", f"opencode:{server.password}")

    assert len(server.password) == 32
    refused = server.curl("/config/providers")
    assert refused.endswith("401")
    assert agent.key not in refused
    # The control: with the password it tells the key.
    assert agent.key in server.curl("/config/providers", *user)
    # Nor is the password in the environment of what runs beside it.
    assert server.password not in finished(["docker", "exec", server.container, "env"]).stdout

    login = json.dumps({"type": "api", "key": "sk-ant-api03-new-login"})
    put = ("-X", "PUT", "-H", "content-type: application/json", "-d", login)
    assert server.curl("/auth/anthropic", *put).endswith("401")
    assert server.curl("/auth/anthropic", *user, *put).endswith("200")
    server.stop()
    run = box.run("opencode", *agent.turn)
    assert run.returncode == 0, run.stderr
    assert model.credentials == {"sk-ant-api03-new-login"}


def test_the_users_own_server_password_is_kept(box: Box) -> None:
    run = box.run("opencode", "serve", "--help", options=("-e", "OPENCODE_SERVER_PASSWORD=chosen"))
    assert "agentbox: user opencode" not in run.stderr
