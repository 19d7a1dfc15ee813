"""What a person types to the agent, a key at a login perhaps, and who else hears it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from boxes import AGENTS, Agent, Box
from fake_model import FakeModel, Shell
from typist import type_when_ready

# A tool in a session of its own, as agents start theirs. In a container the agent's terminal is the first one.
LISTENER = "(echo rea''dy > /dev/pts/0; timeout 9 head -n 1 /dev/pts/0; head -n 1 /dev/console) > heard 2>&1"


def heard(agent: Agent, box: Box, gateway: str, *options: str) -> str:
    """Type to an agent whose tool listens: what the tool got."""
    ours, theirs = pty.openpty()
    with FakeModel([Shell(f"cd /workspace; {LISTENER}")], host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        words = [sys.executable, "-m", "agentbox", "run", agent.name, *agent.options, *options, "--", *agent.turn]
        pipes = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        with subprocess.Popen(  # type: ignore[call-overload]
            words, cwd=box.workspace, env=box.environment(), start_new_session=True, **pipes
        ) as process:
            os.close(theirs)
            said = type_when_ready(ours, 120)
    os.close(ours)
    assert process.returncode == 0, said
    return (box.workspace / "heard").read_text()


def test_a_tool_does_not_hear_what_is_typed(agent: Agent, box: Box, gateway: str) -> None:
    got = heard(agent, box, gateway)
    assert (got.count("Device or resource busy"), got.count("Permission denied")) == (2, 1)
    assert "TYPED" not in got


def test_control_where_the_terminal_is_shared_it_hears_it(box: Box, gateway: str) -> None:
    got = heard(AGENTS["pi"], box, gateway, "-e", "AGENTBOX_TERMINAL=shared")
    assert got.startswith("TYPED\n")
