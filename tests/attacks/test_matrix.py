"""Attack x how the agent started the tool. Each attack works in the control, without the vault, and is refused with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fast import slow_but, slow_but_one_of_each
from reporting import matrix_of
from vault_world import AUTH, SECRET, SETTINGS, STATE, World

pytestmark = [pytest.mark.vault, pytest.mark.usefixtures("fresh")]

SRC = Path(__file__).parent / "src"
ATTACKS = re.findall(
    r"(?<!define )ATTACK\((\w+)\)", (SRC / "attack.c").read_text().split("attacks[] = {")[1].split("#undef")[0]
)

# Every way in which a program leaves the agent.
STARTS = [
    "execve",
    "execv",
    "execvp",
    "execvpe",
    "execl",
    "execlp",
    "execle",
    "fexecve",
    "execveat",
    "syscall",
    "vfork",
    "thread",
    "posix_spawn",
    "posix_spawnp",
    "popen",
    "system",
    "wordexp",
    "in_place",
]
READERS = ["read_dynamic", "read_static", "read_asm"]
READERS_BY_START = slow_but_one_of_each(READERS, STARTS, "read_static", "execve")

# What the kernel of these tests refuses by itself, so that there is no control to show.
NO_CONTROL = {
    "setns_to_agent": "entering a namespace takes CAP_SYS_ADMIN where it was made",
    "take_away_probe": "the directory is root's",
    "read_uring": "io_uring is off on some machines",
}

starts: dict[tuple[str, str], str] = {}
attacks: dict[tuple[str, str], str] = {}
starts_matrix = matrix_of(starts, "readers by how the agent starts them")
attacks_matrix = matrix_of(attacks, "attacks by how the agent starts them")


def state_of(world: World) -> list[str | None]:
    paths = [
        AUTH,
        SETTINGS,
        STATE / "extensions/one.js",
        STATE / "extensions/evil.js",
        STATE / ".env",
        STATE / "AGENTS.md",
    ]
    return world.read_all(paths)


@pytest.mark.parametrize(("reader", "start"), READERS_BY_START)
def test_reader_started_by_the_agent_is_eacces(worlds: dict[str, World], reader: str, start: str) -> None:
    control = worlds["control"].run("./agent", start, f"./{reader}")
    assert (control.returncode, SECRET in control.stdout) == (0, True), control.stderr
    done = worlds["vault"].run("./agent", start, f"./{reader}", launch=True)
    assert SECRET not in done.stdout
    assert done.returncode == 1, done.stderr
    starts[start, reader] = "denied"


@pytest.mark.parametrize("start", slow_but(["execvp"], ["execvp", "vfork", "posix_spawn"]))
@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_is_refused(worlds: dict[str, World], attack: str, start: str) -> None:
    if attack not in NO_CONTROL:
        environment = {"SECRET_TOKEN": SECRET, "PARANOID_MODE": "false"}  # the launcher sees that there is no preload
        control = worlds["control"].run("./agent", start, "./attack", attack, env=environment)
        assert control.returncode == 0, f"the control failed: {control.stderr}"
    before = state_of(worlds["vault"])
    done = worlds["vault"].run(
        "./agent", start, "./attack", attack, launch=True, env={"SECRET_TOKEN": SECRET, "SETTLED": "1"}
    )
    assert SECRET not in done.stdout
    assert done.returncode not in (0, 2), done.stdout + done.stderr
    assert "agent: signalled" not in done.stderr
    assert "credential is gone" not in done.stderr
    assert state_of(worlds["vault"]) == before
    attacks[attack, start] = "denied" if attack not in NO_CONTROL else "denied, no control"
