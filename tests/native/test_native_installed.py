"""--use-installed: the agent that the user has already, in the same sandbox."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from boxes import AGENTS, assert_only_tools_are_refused
from fake_model import FakeModel, Read, Shell
from native_box import INSTALLED, OWN_HOST, NativeBox

from agentbox import policy

pytestmark = [pytest.mark.npm, pytest.mark.slow]

PI = policy.load("pi").package


def install(box: NativeBox, folder: Path, version: str = "9.9.9") -> None:
    """As `npm install --global --prefix FOLDER` would leave pi there: agentbox's own copy, called another version."""
    assert box.run("pi", "--version", options=("--network", "none")).returncode == 0
    own = INSTALLED / "pi" / PI.version
    subprocess.run(["cp", "-a", "--link", f"{own}/.", folder], check=True)
    package = folder / "lib/node_modules" / PI.name
    script = package / "dist/bundle/cli.js"
    for path in (package / "package.json", script):  # these alone are changed, and so are copies
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    told = json.loads((package / "package.json").read_text())
    (package / "package.json").write_text(json.dumps({**told, "version": version}))
    (folder / "bin/pi").symlink_to(os.path.relpath(script, folder / "bin"))
    script.chmod(0o755)
    box.extra = {"PATH": f"{folder}/bin:{box.environment()['PATH']}"}


def test_the_agent_on_path_has_its_turn_and_its_tools_are_confined_as_ever(box: NativeBox) -> None:
    folder = box.home.parent / "mine"
    folder.mkdir()
    install(box, folder)
    agent, secret = AGENTS["pi"], box.secret(AGENTS["pi"])
    box.allow(OWN_HOST)
    # The agent's own read tool can read what it was started from: no other program is behind this turn.
    package = folder / "lib/node_modules" / PI.name / "package.json"
    with FakeModel([Shell(f"cat {secret}; echo status=$?"), Read(secret), Read(str(package))]) as model:
        agent.seed(box, model.url.replace("127.0.0.1", OWN_HOST), agent.key)  # type: ignore[arg-type]  # a box as well
        run = box.run("pi", *agent.turn, options=(*agent.options, "--use-installed"))

    assert_only_tools_are_refused(run, agent, model)
    assert '"version": "9.9.9"' in model.results[2]
    assert f"pi 9.9.9, as installed here ({folder}" in run.stderr
    assert f"was tested with {PI.version}" in run.stderr


def test_the_configuration_can_ask_for_it_and_docker_refuses_the_option(box: NativeBox) -> None:
    folder = box.home.parent / "mine"
    folder.mkdir()
    install(box, folder)
    assert box.run("pi", "--version", options=("--network", "none")).stdout == f"{PI.version}\n", "the control fails"
    box.put(".config/agentbox/config.toml", "use_installed = true\n")
    done = box.run("pi", "--version", options=("--network", "none"))
    assert done.stdout == "9.9.9\n", done.stderr
    refused = box.agentbox("run", "pi", "--engine", "docker", "--use-installed", "--", "--version")
    assert refused.returncode == 2
    assert "add --engine native" in refused.stderr


def test_where_none_is_on_path_nothing_starts(box: NativeBox) -> None:
    done = box.run("claude", "--version", options=("--network", "none", "--use-installed"))
    assert done.returncode == 125
    assert "claude: is not on PATH" in done.stderr


def test_an_agent_that_its_tools_could_change_is_refused(box: NativeBox) -> None:
    """In the workspace, as node_modules/.bin on PATH is. The control is the first test: elsewhere it starts."""
    folder = box.workspace / "tools"
    folder.mkdir()
    install(box, folder)
    done = box.run("pi", "--version", options=("--network", "none", "--use-installed"))
    assert done.returncode == 2
    assert "in a folder that its tools may write" in done.stderr
    below = folder / "lib/node_modules" / PI.name / "dist"
    done = box.run("pi", "--version", options=("--network", "none", "--use-installed", "-w", str(below)))
    assert (done.returncode, "in a folder that its tools may write" in done.stderr) == (2, True)


def test_an_agent_whose_folder_is_the_home_is_refused(box: NativeBox) -> None:
    """All of it would be readable inside."""
    script = box.put("pi", "#!/bin/sh\n")
    script.chmod(0o755)
    box.extra = {"PATH": f"{box.home}:{box.environment()['PATH']}"}
    done = box.run("pi", "--version", options=("--network", "none", "--use-installed"))
    assert done.returncode == 125
    assert "your home is there" in done.stderr
