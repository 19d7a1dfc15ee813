"""An agent that an agent's tool starts, with the native engine: a state of its own, placeholders, and never the first one's login."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace

import pytest
from boxes import AGENTS, Agent
from fake_model import Call, FakeModel, Shell
from native_box import OWN_HOST, SHARED, NativeBox, own
from provider import LOGINS, Login, provider, seed, turn

pytestmark = [pytest.mark.npm, pytest.mark.slow]

SCOUT = "---\nname: scout\ndescription: looks around\ntools: read\n---\nYou are the scout.\n"
EXAMPLE = "*/lib/node_modules/@earendil-works/pi-coding-agent/examples/extensions/subagent"


def inner(agent: Agent, prefix: str = "") -> Shell:
    command = shlex.join(["timeout", "60", agent.name, *agent.turn])
    return Shell(
        f"[ -e inner ] || {{ {prefix} {command} </dev/null >inner 2>&1; echo status=$? >>inner; }}; ls -a ~/.second"
    )


@pytest.mark.parametrize("login", LOGINS, ids=lambda login: f"{login.agent} {login.variable}")
def test_it_works_with_the_placeholder_in_a_state_of_its_own(login: Login, box: NativeBox) -> None:
    agent = AGENTS[login.agent]
    command = replace(agent, turn=turn(login, agent))
    with provider(box, "127.0.0.1", [inner(command)], box.home.parent) as model:  # type: ignore[arg-type]  # a box as well
        seed(login, box)  # type: ignore[arg-type]  # as above
        box.extra = {login.variable: login.key}
        done = box.run(agent.name, *command.turn, options=agent.options)
    assert done.returncode == 0, done.stderr
    said = (box.workspace / "inner").read_text()
    assert "DONE" in said and "status=0" in said, said
    assert model.credentials == {login.key}
    assert agent.name in model.results[-1], "the state of its own"


def test_the_first_ones_login_stays_out_of_its_reach(box: NativeBox) -> None:
    """What a container's test says of each agent; the control is the same login in the first one's hands."""
    agent = AGENTS["pi"]
    with FakeModel([inner(agent)]) as model:
        box.allow(OWN_HOST)
        agent.seed(box, model.url.replace("127.0.0.1", OWN_HOST), agent.key)  # type: ignore[arg-type]  # a box as well
        done = box.run(agent.name, *agent.turn, options=agent.options)
    assert done.returncode == 0, done.stderr
    assert model.credentials == {agent.key}, "the control"
    said = (box.workspace / "inner").read_text()
    assert "No API key found for anthropic" in said and "status=1" in said, said


def test_what_it_starts_has_no_options_of_nodes(box: NativeBox) -> None:
    """A third program: the second pi's own tool."""
    login, agent = LOGINS[0], AGENTS["pi"]
    look = Shell("[ -e inner ] && env >third; [ -e inner ] || { touch inner; timeout 60 pi PI </dev/null; }")
    look = replace(look, command=look.command.replace("PI", shlex.join(agent.turn)))
    with provider(box, "127.0.0.1", [look], box.home.parent):  # type: ignore[arg-type]  # a box as well
        box.extra = {login.variable: login.key}
        assert box.run("pi", *agent.turn, options=agent.options).returncode == 0
    found = (box.workspace / "third").read_text()
    assert "PI_CODING_AGENT_DIR=" in found and "/.second/pi" in found, "the control: it is the second one's tool"
    assert "NODE_OPTIONS" not in found


def test_pis_sub_agents_work_with_the_placeholder(box: NativeBox) -> None:
    """The extension that pi ships as an example, and others after it, start `process.execPath process.argv[1]`."""
    login, agent = LOGINS[0], AGENTS["pi"]
    assert box.run("pi", "--version").returncode == 0, "installed by now"
    (example, *_) = sorted((SHARED / "cache/agentbox/pi").glob(EXAMPLE))
    extension = box.put(".pi/agent/extensions/.made-by-the-test", "").parent / "subagent"
    shutil.copytree(example, extension)
    for path in (extension, *extension.rglob("*")):
        own(path)
    box.put(".pi/agent/agents/scout.md", SCOUT)
    script = [Call("subagent", {"agent": "scout", "task": "look around"})]
    with provider(box, "127.0.0.1", script, box.home.parent) as model:  # type: ignore[arg-type]  # a box as well
        box.extra = {login.variable: login.key}
        done = box.run("pi", *agent.turn, options=agent.options)
    assert done.returncode == 0, done.stderr
    assert ["DONE"] in [request.results for request in model.requests]
    assert model.credentials == {login.key}
    assert "You are the scout." in json.dumps([request.body for request in model.requests])
