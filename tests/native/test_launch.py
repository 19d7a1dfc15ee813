"""agentbox-launch: what it refuses, how it says so, and what it hands on."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import vault_world
from vault_world import AUTH, SETTINGS, STATE, VAULT, World, policy

pytestmark = pytest.mark.vault

POLICY = Path("/etc/agentbox/vault.policy")
PRELOAD = Path("/etc/ld.so.preload")


@pytest.fixture
def world() -> Iterator[World]:
    """A world that the test may spoil."""
    reason = vault_world.unusable()
    if reason:
        pytest.skip(reason)
    world = World(policy("/usr/bin/env"))
    yield world
    world.close()


def refusal(world: World, **options: object) -> str:
    """The one line with which the launcher refuses to start anything."""
    done = world.run("/bin/echo", "started", launch=True, **options)
    assert (done.returncode, done.stdout) == (125, ""), done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_it_becomes_the_command_and_gives_its_status(world: World) -> None:
    done = world.run("/bin/sh", "-c", "echo $$ $AGENTBOX_AGENT_PID; exit 7", launch=True)
    pid, marker = done.stdout.split()
    assert (pid == marker, done.returncode, done.stderr) == (True, 7, "")


def test_the_command_is_looked_up_on_path(world: World) -> None:
    assert world.run("true", launch=True).returncode == 0


def test_a_missing_command_is_127_and_one_that_cannot_be_executed_126(world: World) -> None:
    assert world.run("/nowhere/agent", launch=True).returncode == 127
    done = world.run("/etc/passwd", launch=True)
    assert (done.returncode, "Permission denied" in done.stderr) == (126, True)


def test_no_command_is_125(world: World) -> None:
    done = world.run(world.launcher)
    assert (done.returncode, done.stderr.startswith("usage: ")) == (125, True)


@pytest.mark.parametrize("text", ["", "agentbox-vault 1\nexe /x\n", "rubbish\n", policy("/x").replace("end\n", "")])
def test_a_half_written_policy_fails_closed(world: World, text: str) -> None:
    world.set_policy(text)
    assert "/etc/agentbox/vault.policy" in refusal(world)
    preloaded = world.run("/bin/cat", "/etc/hostname")
    assert (preloaded.returncode, preloaded.stdout) == (125, "")
    assert "/etc/agentbox/vault.policy" in preloaded.stderr


def test_a_missing_policy_fails_closed(world: World) -> None:
    world.inside(POLICY.unlink)
    assert "cannot read the policy" in refusal(world)
    assert world.run("/bin/true").returncode == 125


def test_a_probe_that_nobody_may_open_is_refused(world: World) -> None:
    """It makes every process look confined, and none is."""
    read = ("/bin/sh", "-c", f"cd {STATE}/private && head -c 3 key")
    assert (world.run(*read).stdout, world.run("/bin/echo", launch=True).returncode) == ("", 0)
    world.inside(lambda: (VAULT / ".probe").chmod(0))
    assert world.run(*read).stdout == "sk-"
    assert "/etc/agentbox/probe: Permission denied" in refusal(world)


def test_without_landlock_it_refuses(world: World) -> None:
    for mode in ({}, {"PARANOID_MODE": "true"}, {"PARANOID_MODE": "rubbish"}):
        assert "no Landlock (CONFIG_SECURITY_LANDLOCK" in refusal(world, landlock=False, env=mode)


def test_without_landlock_and_paranoid_mode_it_warns_and_starts(world: World) -> None:
    done = world.run("/bin/echo", "started", launch=True, landlock=False, env={"PARANOID_MODE": "false"})
    assert (done.returncode, done.stdout) == (0, "started\n")
    assert done.stderr.startswith("agentbox-launch: warning: the running kernel has no Landlock")
    assert done.stderr.count("\n") == 1


def test_with_landlock_it_says_nothing(world: World) -> None:
    assert world.run("/bin/true", launch=True).stderr == ""


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (PRELOAD.unlink, "not named in /etc/ld.so.preload"),
        (lambda: PRELOAD.write_text("/usr/lib/other.so\n"), "not named in /etc/ld.so.preload"),
        (lambda: PRELOAD.write_text("/nowhere/fs-vault.so\n"), "No such file"),
        (lambda: Path("/etc/agentbox/fs-vault.so").write_text("text"), "not an ELF object"),
    ],
)
def test_a_preload_that_would_not_load_is_refused(world: World, spoil: Callable[[], object], cause: str) -> None:
    world.inside(spoil)
    assert cause in refusal(world)
    assert world.run("/bin/true", launch=True, env={"PARANOID_MODE": "false"}).returncode == 0


@pytest.mark.parametrize("path", [AUTH, SETTINGS])
def test_a_hard_link_to_a_protected_file_is_refused(world: World, path: Path) -> None:
    world.inside(lambda: os.link(path, STATE / "sessions/second-name"))
    line = refusal(world)
    assert str(path) in line
    assert "hard link" in line


def test_a_protected_path_that_is_a_symlink_is_refused(world: World) -> None:
    def spoil() -> None:
        AUTH.rename(STATE / "elsewhere")
        AUTH.symlink_to(STATE / "elsewhere")

    world.inside(spoil)
    assert "symbolic link" in refusal(world)


@pytest.mark.parametrize(("source", "target"), [(STATE, "/srv"), (STATE / "sessions", "/srv"), (STATE, VAULT / "log")])
def test_a_second_mount_of_the_vault_is_refused(world: World, source: Path, target: str | Path) -> None:
    world.inside(lambda: vault_world.bind(source, target))
    line = refusal(world)
    assert "a second time" in line


def test_a_mount_in_its_place_is_not_a_second_one(world: World) -> None:
    world.inside(lambda: vault_world.bind(STATE / "sessions", STATE / "sessions"))
    assert world.run("/bin/true", launch=True).returncode == 0


def test_a_second_view_under_another_mount_is_none(world: World) -> None:
    """As with --allow-home: the home is mounted, and an empty tmpfs lies over the agent's state in it."""

    def cover() -> None:
        vault_world.bind(STATE / "sessions", VAULT / "log")
        vault_world.mount_tmpfs(STATE / "sessions")

    world.inside(cover)
    assert world.run("/bin/true", launch=True).returncode == 0


@pytest.mark.parametrize("over", [STATE / "extensions", None], ids=["its own filesystem over it", "nothing over it"])
def test_a_second_view_that_is_not_covered_is_refused(world: World, over: Path | None) -> None:
    """The control."""

    def spoil() -> None:
        vault_world.bind(STATE / "sessions", VAULT / "log")
        if over:
            vault_world.bind(over, STATE / "sessions")

    world.inside(spoil)
    assert "a second time" in refusal(world)


def test_an_exclusive_terminal_is_opened_by_no_name(world: World) -> None:
    """Before the launcher's call it is: the control. Root may open it all the same."""
    ours, theirs = pty.openpty()
    os.fchown(theirs, vault_world.UID, -1)
    once = f"for name in {os.ttyname(theirs)} /dev/tty; do (: <$name) && echo opened; done"
    done = subprocess.run(
        ["sh", "-c", f"{once}; {world.launcher} --exclusive && echo exclusive; {once}"],
        stdin=theirs, capture_output=True, text=True, check=False, user=vault_world.UID, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.stdout.split() == ["opened", "opened", "exclusive"], done.stderr
    assert done.stderr.count("Device or resource busy") == 2


def test_no_terminal_is_no_failure(world: World) -> None:
    assert subprocess.run([world.launcher, "--exclusive"], stdin=subprocess.DEVNULL, check=False).returncode == 0
