"""agentbox as a user runs it, in a home of its own, and what each agent needs for one turn against the model server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentbox import authority, identity, policy

if TYPE_CHECKING:
    from fake_model import FakeModel

# A test run's images must not take the place of the user's own. Two checkouts that are tested at once need a name each.
REAL_USER = os.environ.get("AGENTBOX_TEST_USER", "agentbox-test")
UID = os.getuid() or 1000
GID = os.getgid() or 1000
PROMPT = "show me the file"
# opencode fetches packages at each start. Where npm is out of reach it would try again for more than a minute.
AT_ONCE = "npm_config_fetch_retries=0"
# For tests of what has nothing to do with the network: with the broker a start takes three times as long.
NO_BROKER = ("--network", "none")


def finished(command: Sequence[str], timeout: int = 120, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command, run to its end without input; whether it succeeded is the test's business."""
    pipes = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    return subprocess.run(command, check=False, timeout=timeout, **pipes, **options)


@dataclass(frozen=True)
class Box:
    """One home and one project folder; `run` is the command line."""

    home: Path
    workspace: Path

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "SUDO_"))}
        names = {"HOME": str(self.home), "REAL_USER": REAL_USER, "HOST_UID": str(UID), "HOST_GID": str(GID)}
        return {**kept, **names}

    def agentbox(self, *words: str, timeout: int = 300) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "agentbox", *words]
        return finished(command, timeout, env=self.environment(), cwd=self.workspace)

    def run(self, agent: str, *arguments: str, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        return self.agentbox("run", agent, *options, "--", *arguments)

    def allow(self, host: str) -> None:
        """What `agentbox allow` would write: a private server that this box's agents may reach."""
        self.put(".config/agentbox/allowed.toml", f'[[allow]]\nhost = "{host}:*"\n')

    def shell(self, agent: str, script: str) -> subprocess.CompletedProcess[str]:
        return self.agentbox("shell", agent, "--", "bash", "-c", script)

    def put(self, path: str, content: str | dict[str, object]) -> Path:
        """A file in the home, its folders included, owned by the box's user."""
        return put(self.home, path, content, own)


def shared_authority() -> Path:
    """The images trust one authority, and each box is a home of its own: all of them get the same."""
    who = identity.Identity(UID, GID, REAL_USER, Path(tempfile.gettempdir()) / f"agentbox-tests-of-{REAL_USER}")
    return authority.folder(who)


def put(home: Path, path: str, content: str | dict[str, object], own: Callable[[Path], None]) -> Path:
    """A private file in a home, and the folders on the way to it: each is handed to `own`."""
    file = home / path
    folder = home
    for part in Path(path).parent.parts:
        folder /= part
        if not folder.exists():
            folder.mkdir(mode=0o700)
            own(folder)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    file.chmod(0o600)
    own(file)
    return file


def assert_only_tools_are_refused(run: subprocess.CompletedProcess[str], agent: Agent, model: FakeModel) -> None:
    """The turn came to its end with the agent's credential, and the tool that wanted to see it did not."""
    assert run.returncode == 0, run.stderr
    assert "DONE" in run.stdout
    assert agent.key in model.credentials
    assert "Permission denied" in model.results[0]
    assert "status=1" in model.results[0]
    assert agent.key not in "".join(model.results)


def own(path: Path) -> None:
    if os.getuid() == 0:
        os.chown(path, UID, GID)


def make_box(folder: Path) -> Box:
    box = Box(folder / "home", folder / "project")
    for path in (box.home, box.workspace):
        path.mkdir()
        own(path)
    ca = box.put(".local/state/agentbox/ca/ca.crt", "").parent
    for file in shared_authority().iterdir():
        shutil.copyfile(file, ca / file.name)
        (ca / file.name).chmod(0o600)
        own(ca / file.name)
    # pytest's folders are for their owner alone, and the agent is somebody else where root runs the tests.
    for path in (folder, *folder.parents):
        if path.stat().st_mode & 0o005 != 0o005:
            path.chmod(0o755)
    return box


@dataclass(frozen=True)
class Agent:
    """`secret` is the credential file in the container; `seed` writes it, with `key`, and points the agent at `url`."""

    name: str
    secret: str
    key: str
    seed: Callable[[Box, str, str], None]
    turn: tuple[str, ...]
    again: tuple[str, ...]
    options: tuple[str, ...] = field(default=())


def _seed_pi(box: Box, url: str, key: str) -> None:
    box.put(".pi/agent/auth.json", {"anthropic": {"type": "api_key", "key": key}})
    box.put(".pi/agent/models.json", {"providers": {"anthropic": {"baseUrl": url}}})


def _seed_claude(box: Box, url: str, key: str) -> None:
    login = {
        "accessToken": key,
        "refreshToken": "sk-ant-ort01-unused",
        "expiresAt": int(time.time() * 1000) + 3_600_000_000,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
    box.put(".claude/.credentials.json", {"claudeAiOauth": login})
    box.put(".claude/settings.json", {"env": {"ANTHROPIC_BASE_URL": url}})


def _seed_opencode(box: Box, url: str, key: str) -> None:
    box.put(".local/share/opencode/auth.json", {"anthropic": {"type": "api", "key": key}})
    config = {
        "model": "anthropic/claude-sonnet-4-5",
        "permission": {"*": "allow"},
        "provider": {"anthropic": {"options": {"baseURL": f"{url}/v1"}}},
    }
    box.put(".config/opencode/opencode.json", config)


def _seed_hermes(box: Box, url: str, key: str) -> None:
    box.put(".hermes/.env", f"OPENROUTER_API_KEY={key}\nOPENROUTER_BASE_URL={url}/v1\n")
    box.put(".hermes/config.yaml", "model:\n  provider: openrouter\n  default: fake-model\n")


PI_MODEL = ("--provider", "anthropic", "--model", "claude-sonnet-4-5")
CLAUDE = ("-p", PROMPT, "--dangerously-skip-permissions")
HERMES = ("chat", "-Q", "--yolo")

AGENTS = {
    agent.name: agent
    for agent in (
        Agent(
            name="pi",
            secret="/agent/pi/agent/auth.json",
            key="sk-ant-api03-of-the-pi-test",
            seed=_seed_pi,
            turn=("-p", *PI_MODEL, PROMPT),
            again=("-p", "--continue", *PI_MODEL, "and again"),
            options=("-e", "PI_OFFLINE=1"),
        ),
        Agent(
            name="claude",
            secret="/agent/claude/.credentials.json",
            key="sk-ant-oat01-of-the-claude-test",
            seed=_seed_claude,
            turn=CLAUDE,
            again=("--continue", "-p", "and again", "--dangerously-skip-permissions"),
            options=("-e", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1"),
        ),
        Agent(
            name="opencode",
            secret="/agent/opencode/data/auth.json",
            key="sk-ant-api03-of-the-opencode-test",
            seed=_seed_opencode,
            turn=("run", PROMPT),
            again=("run", "--continue", "and again"),
            options=("-e", AT_ONCE),
        ),
        Agent(
            name="hermes",
            secret="/agent/hermes/.env",
            key="sk-or-v1-of-the-hermes-test",
            seed=_seed_hermes,
            turn=(*HERMES, "-q", PROMPT),
            again=(*HERMES, "--continue", "-q", "and again"),
        ),
    )
}


def masked(
    agent: Agent,
    box: Box,
    image: str,
    *files: str,
    content: str = "\n",
    turn: Sequence[str] = (),
    options: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """A turn in the agent's image by plain docker, without the launcher, with `files` of the image replaced by `content`."""
    state = [f"--volume={box.home / each.host}:{each.path}" for each in policy.load(agent.name).state]
    for each in policy.load(agent.name).state:
        box.put(f"{each.host}/.made-by-the-test", "")
    settings = [f"--env={name}={value}" for name, value in policy.load(agent.name).env.fixed.items()]
    command = [
        "docker",
        "run",
        "--rm",
        "--init",
        "--security-opt=seccomp=unconfined",
        *state,
        *settings,
        "--env=PI_OFFLINE=1",
        f"--env={AT_ONCE}",
        "--dns=127.0.0.1",  # where nobody answers: the model server is an address, and nothing else is to be found
        f"--user={UID}:{GID}",
    ]
    command += [f"--volume={box.workspace}:/workspace", "--tmpfs=/run/opencode:exec,mode=0777"]
    command += [*(f"--volume={box.put('.empty', content)}:{file}:ro" for file in files), "--entrypoint=/entrypoint.sh"]
    return finished([*command, *options, image, agent.name, *(turn or agent.turn)])
