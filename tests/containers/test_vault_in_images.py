"""The decisive attacks, in each of the four images: the agent itself starts them, through its own shell tool.

tests/attacks has all of them, by every way of starting a program; here they meet the real agents.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from boxes import Agent, Box, masked
from fake_model import FakeModel, Shell
from reporting import matrix_of
from shell_attacks import ATTACKS, LINES, NO_CONTROL, PUT, lay_out, statuses

from agentbox import policy

outcomes: dict[tuple[str, str], str] = {}
matrix = matrix_of(outcomes, "attacks from the agents' shell tools, by image")


def test_no_attack_from_the_agents_shell_tool_succeeds(
    agent: Agent, box: Box, gateway: str, images: Callable[[str], str]
) -> None:
    with FakeModel([Shell(lay_out(agent, box))], host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        for path, content in PUT[agent.name].items():
            box.put(path, content)
        done = box.run(agent.name, *agent.turn, options=agent.options)
        assert done.returncode == 0, done.stderr
        assert agent.key in model.credentials
        found, printed = statuses(box)
        # The control: the same turn without the vault, on the same state.
        (box.workspace / "attacks/out").unlink()
        (box.workspace / "attacks/control").touch()
        control = masked(agent, box, images(agent.name), "/etc/ld.so.preload")
        assert control.returncode == 0, control.stderr
        worked, _ = statuses(box)

    wanted = {*ATTACKS, *LINES}
    assert set(found) == wanted
    assert [name for name, status in found.items() if status == 0] == []
    assert agent.key not in printed
    assert [name for name in wanted - {*NO_CONTROL} if worked[name] != 0] == []
    outcomes.update({(name, agent.name): "denied, no control" if name in NO_CONTROL else "denied" for name in found})


def forget_key(agent: Agent, box: Box) -> None:
    """Take the key out of the agent's credential file."""
    state = next(each for each in policy.load(agent.name).state if agent.secret.startswith(f"{each.path}/"))
    file = box.home / state.host / agent.secret.removeprefix(f"{state.path}/")
    lines = [line for line in file.read_text().splitlines() if agent.key not in line]
    if lines:
        file.write_text("\n".join(lines) + "\n")
    else:
        file.unlink()


@pytest.mark.parametrize("kept", [False, True], ids=["kept from the tools", "control: kept by the user's wish"])
def test_provider_key_of_the_hosts_environment(
    agent: Agent, box: Box, gateway: str, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    # Without the broker the container holds the key. Hermes keeps the first from its tools by itself.
    names = ["OPENROUTER_API_KEY", "NOUS_API_KEY"] if agent.name == "hermes" else ["ANTHROPIC_API_KEY"]
    for name in names:
        monkeypatch.setenv(name, "sk-from-the-hosts-environment")
    if kept:
        box.put(".config/agentbox/config.toml", f"[env]\nkeep = {json.dumps(names)}\n")
    with FakeModel([Shell("env > /workspace/environment")], host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        forget_key(agent, box)
        done = box.run(agent.name, *agent.turn, options=(*agent.options, "--network", "open"))
    assert done.returncode == 0, done.stderr
    assert model.credentials == {"sk-from-the-hosts-environment"}
    assert ("sk-from-the-hosts-environment" in (box.workspace / "environment").read_text()) == kept
