"""Programs that an agent starts of its own: a second agent from its shell tool, and MCP servers. They are tools."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from boxes import AGENTS, Agent, Box, masked, own
from fake_model import Call, FakeModel, Shell
from provider import LOGINS, Login, provider, seed, turn

# What the inner agent says of the credential that it does not get, or what Hermes sends in its place.
SAYS = {
    "pi": "No API key found for anthropic",
    "claude": "Not logged in",
    "opencode": "Anthropic API key is missing",
}
NO_KEY = "no-key-required"
EXAMPLES = "/usr/local/lib/node_modules/@earendil-works/pi-coding-agent/examples/extensions"
SCOUT = "---\nname: scout\ndescription: looks around\ntools: read\n---\nYou are the scout.\n"
SERVER = """#!/bin/sh
{ cat SECRET || cat /proc/$PPID/environ; } >/workspace/got 2>/workspace/refused
"""


def inner(agent: Agent) -> Shell:
    command = shlex.join(["timeout", "60", agent.name, *agent.turn])
    return Shell(
        f"[ -e /workspace/inner ] || {{ {command} </dev/null >/workspace/inner 2>&1; echo status=$? >>/workspace/inner; }}"
    )


def test_an_agent_as_a_tool_finds_no_credential_and_says_so(agent: Agent, box: Box, gateway: str) -> None:
    with FakeModel([inner(agent)], host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        done = box.run(agent.name, *agent.turn, options=agent.options)
    assert done.returncode == 0, done.stderr
    said = (box.workspace / "inner").read_text()
    if agent.name == "hermes":
        # It took the address from its tool's environment; the model server asks nobody for a key.
        assert model.credentials == {agent.key, NO_KEY}
    else:
        assert SAYS[agent.name] in said
        assert "DONE" not in said
        assert "status=1" in said


@pytest.mark.parametrize("login", LOGINS, ids=lambda login: f"{login.agent} {login.variable}")
def test_it_works_with_the_placeholder(
    login: Login, box: Box, gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = AGENTS[login.agent]
    monkeypatch.setenv(login.variable, login.key)
    command = replace(agent, turn=turn(login, agent))
    with provider(box, gateway, [inner(command)], tmp_path) as model:
        seed(login, box)
        done = box.run(agent.name, *command.turn, options=agent.options)
    assert done.returncode == 0, done.stderr
    said = (box.workspace / "inner").read_text()
    assert "DONE" in said and "status=0" in said, said
    assert model.credentials == {login.key}


def test_pis_sub_agents_work_with_the_placeholder(
    box: Box, gateway: str, images: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extension that pi ships as an example, and others after it, start `process.execPath process.argv[1]`."""
    login, agent = LOGINS[0], AGENTS["pi"]
    monkeypatch.setenv(login.variable, login.key)
    script = f"cd {EXAMPLES} && tar -c subagent"
    packed = subprocess.run(
        ["docker", "run", "--rm", "--entrypoint=sh", images("pi"), "-c", script], check=True, stdout=subprocess.PIPE
    )
    extensions = box.put(".pi/agent/extensions/.made-by-the-test", "").parent
    subprocess.run(["tar", "-x", "-C", extensions], input=packed.stdout, check=True)
    box.put(".pi/agent/agents/scout.md", SCOUT)
    with provider(box, gateway, [Call("subagent", {"agent": "scout", "task": "look around"})], tmp_path) as model:
        done = box.run("pi", *agent.turn, options=agent.options)
    assert done.returncode == 0, done.stderr
    assert ["DONE"] in [request.results for request in model.requests]
    assert model.credentials == {login.key}
    assert "You are the scout." in json.dumps([request.body for request in model.requests])


def test_without_the_vault_it_finds_it(agent: Agent, box: Box, gateway: str, images: Callable[[str], str]) -> None:
    """The control."""
    with FakeModel([inner(agent)], host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        done = masked(agent, box, images(agent.name), "/etc/ld.so.preload")
    assert done.returncode == 0, done.stderr
    assert "status=0" in (box.workspace / "inner").read_text()


def configure_server(agent: Agent, box: Box) -> None:
    """An MCP server in the user's own configuration of `agent`."""
    file = box.workspace / "server"
    file.write_text(SERVER.replace("SECRET", agent.secret))
    file.chmod(0o755)
    own(file)
    if agent.name == "claude":
        servers = {"mcpServers": {"mine": {"command": "/workspace/server"}}}
        box.put(".claude/.claude.json", {"hasCompletedOnboarding": True, **servers})
    else:
        config = ".config/opencode/opencode.json"
        local = {"mcp": {"mine": {"type": "local", "command": ["/workspace/server"]}}}
        box.put(config, json.loads((box.home / config).read_text()) | local)


# pi has no MCP servers, and Hermes's package comes without the library for them.
@pytest.mark.parametrize("name", ["claude", "opencode"])
def test_an_mcp_server_gets_no_credential(name: str, box: Box, gateway: str, images: Callable[[str], str]) -> None:
    agent = AGENTS[name]
    with FakeModel([Shell("sleep 2")], host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        configure_server(agent, box)
        done = box.run(name, *agent.turn, options=agent.options)
        assert done.returncode == 0, done.stderr
        assert (box.workspace / "got").read_text() == ""
        assert "Permission denied" in (box.workspace / "refused").read_text()
        # The control.
        done = masked(agent, box, images(name), "/etc/ld.so.preload")
        assert done.returncode == 0, done.stderr
        assert agent.key in (box.workspace / "got").read_text()
