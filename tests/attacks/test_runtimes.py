"""Agents on Node, Python and Bun: every way in which their standard libraries start a program."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fast import slow_but_one_of_each
from reporting import matrix_of
from vault_world import SECRET, World, make_world, policy

pytestmark = pytest.mark.vault

SRC = Path(__file__).parent / "src"
PYTHON = "/usr/bin/python3"
NODE_STARTS = [
    *("spawn", "spawn_detached", "spawn_shell", "spawn_no_environment", "exec", "execFile", "fork"),
    *("spawnSync", "execSync", "execFileSync", "worker"),
]
PYTHON_STARTS = re.findall(r'^    "(\w+)": ', (SRC / "agent.py").read_text(), re.MULTILINE)
BUN_STARTS = ["bun_spawn", "bun_spawnSync", "bun_shell", *NODE_STARTS[:-1]]
READERS = ["read_dynamic", "read_static"]

Pair = dict[str, World]

outcomes: dict[tuple[str, str], str] = {}
matrix = matrix_of(outcomes, "readers by how an agent's runtime starts them")


def node() -> str:
    found = shutil.which("node")
    if not found:
        pytest.skip("node is not installed")
    return os.path.realpath(found)


@pytest.fixture(scope="module")
def pair(programs: Path) -> Iterator[Callable[[str, str], Pair]]:
    """Two worlds for one runtime: with the vault, and without."""
    made: dict[str, Pair] = {}

    def pair(exe: str, script: str) -> Pair:
        if exe not in made:
            made[exe] = {}
            for name in ("vault", "control"):
                world = make_world(programs, policy("/unset"), preload=name == "vault")
                for source in SRC.glob("*.[jp][sy]"):
                    shutil.copy(source, world.work)
                world.set_policy(policy(exe, script=world.work / script))
                made[exe][name] = world
        return made[exe]

    yield pair
    for worlds in made.values():
        for world in worlds.values():
            world.close()


def check(worlds: Pair, exe: str, script: str, start: str, reader: str) -> None:
    control = worlds["control"].run(exe, script, start, f"./{reader}")
    assert (control.returncode, SECRET in control.stdout) == (0, True), control.stderr
    done = worlds["vault"].run(exe, script, start, f"./{reader}", launch=True)
    assert SECRET not in done.stdout
    assert done.returncode == 1, done.stderr


@pytest.mark.parametrize(("start", "reader"), slow_but_one_of_each(NODE_STARTS, READERS, "spawn", "read_static"))
def test_tool_of_a_node_agent_is_eacces(pair: Callable[[str, str], Pair], start: str, reader: str) -> None:
    check(pair(node(), "agent.js"), node(), "agent.js", start, reader)
    outcomes[start, "node"] = "denied"


@pytest.mark.parametrize(("start", "reader"), slow_but_one_of_each(PYTHON_STARTS, READERS, "os_system", "read_static"))
def test_tool_of_a_python_agent_is_eacces(pair: Callable[[str, str], Pair], start: str, reader: str) -> None:
    exe = os.path.realpath(PYTHON)
    check(pair(exe, "agent.py"), exe, "agent.py", start, reader)
    outcomes[start, "python"] = "denied"


@pytest.fixture(scope="module")
def bun(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Bun from npm, where the world's user can execute it."""
    target = tmp_path_factory.mktemp("bun")
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("npm is not installed")
    subprocess.run([npm, "install", "--silent", "--prefix", target, "bun@1.4.5"], check=True)
    for directory in (target, *list(target.parents)[:3]):
        directory.chmod(directory.stat().st_mode | 0o055)
    return str(target / "node_modules/bun/bin/bun.exe")


@pytest.mark.npm
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("start", BUN_STARTS)
def test_tool_of_a_bun_agent_is_eacces(pair: Callable[[str, str], Pair], bun: str, start: str, reader: str) -> None:
    check(pair(bun, "agent.js"), bun, "agent.js", start, reader)
    outcomes[start, "bun"] = "denied"


@pytest.mark.parametrize("option", ["-e", "-p"])
def test_the_interpreter_without_the_script_is_a_tool(pair: Callable[[str, str], Pair], option: str) -> None:
    code = "console.log(require('fs').readFileSync('/mnt/agent/auth.json', 'utf8'))"
    worlds = pair(node(), "agent.js")
    assert SECRET in worlds["control"].run(node(), option, code).stdout
    done = worlds["vault"].run(node(), option, code, "agent.js", launch=True)
    assert SECRET not in done.stdout
    assert "EACCES" in done.stderr
