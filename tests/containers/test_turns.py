"""Each agent, with its real package, through a whole turn: it uses its credential, its tools do not get it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from boxes import AGENTS, GID, PROMPT, UID, Agent, Box, assert_only_tools_are_refused, finished, masked
from fake_model import FakeModel, Shell
from holds import containers
from reporting import show


@pytest.fixture
def model(agent: Agent, box: Box, gateway: str) -> Iterator[FakeModel]:
    """The model asks for the credential file, and for a file to be made."""
    script = [Shell(f"touch /workspace/made; cat {agent.secret}; echo status=$?; id -u; id -g; nproc")]
    with FakeModel(script, host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        yield model


@pytest.fixture(scope="module")
def finished_turns(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Lines about whole turns, printed at the end: what the run showed, for who reads its log."""
    lines: list[str] = []
    yield lines
    show(request.config, lines)


def test_agent_finishes_its_turn_and_only_its_tools_get_eacces(
    agent: Agent, box: Box, model: FakeModel, finished_turns: list[str]
) -> None:
    run = box.run(agent.name, *agent.turn, options=agent.options)

    assert_only_tools_are_refused(run, agent, model)
    made = (box.workspace / "made").stat()
    assert (made.st_uid, made.st_gid) == (UID, GID)
    finished_turns.append(f"{agent.name}: a whole turn; the server saw its key, its tools got EACCES")


def test_without_the_vault_the_same_turn_leaks_the_credential(
    agent: Agent, box: Box, model: FakeModel, images: Callable[[str], str]
) -> None:
    """The control: same image, state, and turn, but nothing in ld.so.preload, and no launcher, which refuses that."""
    run = masked(agent, box, images(agent.name), "/etc/ld.so.preload")

    assert run.returncode == 0, run.stderr
    assert "status=0" in model.results[0]
    # Hermes covers up keys that it knows in what its tools return; the rest of the file is there.
    assert (agent.key if agent.name != "hermes" else "OPENROUTER_BASE_URL=") in model.results[0]


def test_state_survives_to_a_second_run(agent: Agent, box: Box, model: FakeModel) -> None:
    first = box.run(agent.name, *agent.turn, options=agent.options)
    assert first.returncode == 0, first.stderr
    before = len(model.requests)

    second = box.run(agent.name, *agent.again, options=agent.options)

    assert second.returncode == 0, second.stderr
    bodies = [str(request.body) for request in model.requests[before:]]
    assert any(PROMPT in body and "and again" in body for body in bodies), "the second turn does not know of the first"


def test_a_shell_is_a_tool_not_the_agent(box: Box) -> None:
    agent = AGENTS["pi"]
    agent.seed(box, "http://127.0.0.1:1", agent.key)

    run = box.shell("pi", f"AGENTBOX_AGENT_PID=$$; export AGENTBOX_AGENT_PID; cat {agent.secret}; pi --version")

    assert "Permission denied" in run.stderr
    assert agent.key not in run.stdout


@pytest.fixture
def static_reader(box: Box) -> str:
    """A static program in the workspace that reads pi's credential: nothing is preloaded into it."""
    agent = AGENTS["pi"]
    agent.seed(box, "http://127.0.0.1:1", agent.key)
    source = Path(__file__).resolve().parents[1] / "attacks/src/read.c"
    target = box.workspace / "reader"
    subprocess.run(["cc", f'-DAUTH="{agent.secret}"', source, "-static", "-o", target], check=True)
    return "/workspace/reader"


def test_static_program_given_to_shell_is_a_tool(box: Box, static_reader: str) -> None:
    run = box.agentbox("shell", "pi", "--", static_reader)
    assert (run.returncode, run.stdout) == (1, "")


def test_static_program_given_to_shell_beside_the_agent_is_a_tool(
    box: Box, static_reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-from-the-hosts-environment")
    words = [sys.executable, "-m", "agentbox", "shell", "pi", "--", "sh", "-c", "echo ready; exec sleep 60"]
    first = subprocess.Popen(words, env=box.environment(), cwd=box.workspace, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout and first.stdout.readline() == "ready\n"
        run = box.agentbox("shell", "pi", "--", static_reader)
        assert (run.returncode, run.stdout) == (1, "")
        assert "sk-from" not in box.agentbox("shell", "pi", "--", "env").stdout
        # The control: the same program beside it by plain docker, past agentbox-launch.
        (name,) = containers(box)
        assert AGENTS["pi"].key in finished(["docker", "exec", name, static_reader]).stdout
    finally:
        first.terminate()
        first.wait(30)
