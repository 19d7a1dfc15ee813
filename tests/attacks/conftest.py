"""Agents, attack programs, and worlds with and without the vault."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import vault_world
from fast import for_all_workers, one_at_a_time
from vault_world import World, make_world, policy

SRC = Path(__file__).parent / "src"
FLAGS = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE")
PROGRAMS = {
    "agent": ("agent.c", "-pthread"),
    "agent_own_malloc": ("agent.c", SRC / "own_malloc.c", "-pthread", "-rdynamic", "-fno-builtin"),
    "attack": ("attack.c",),
    "read_dynamic": ("read.c",),
    "read_static": ("read.c", "-static"),
    "write_static": ("write.c", "-static"),
    "empty_static": ("empty.c", "-static"),
    "read_asm": ("read_asm.c", "-static", "-nostdlib", "-fno-stack-protector"),
}


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled sources of tests/attacks/src."""
    reason = vault_world.unusable()
    if reason:
        pytest.skip(reason)
    target = for_all_workers(tmp_path_factory) / "programs"
    with one_at_a_time(target):
        if not target.exists():
            part = tmp_path_factory.mktemp("programs")
            for name, (source, *flags) in PROGRAMS.items():
                subprocess.run(["cc", *FLAGS, SRC / source, *flags, "-o", part / name], check=True)
            part.rename(target)
    return target


@pytest.fixture(scope="session")
def worlds(programs: Path) -> Iterator[dict[str, World]]:
    """The same agent with the vault, and without it: the control."""
    made = {name: make_world(programs, policy("/unset"), preload=name == "vault") for name in ("vault", "control")}
    for world in made.values():
        world.set_policy(policy(world.work / "agent"))
    yield made
    for world in made.values():
        world.close()


@pytest.fixture
def fresh(worlds: dict[str, World]) -> None:
    """Both as they were at first."""
    for world in worlds.values():
        world.reset()
