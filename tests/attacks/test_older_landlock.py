"""The attacks where Landlock is older, and what stands in for what it does not know there."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fast import slow_but
from older_landlock import pretend
from test_matrix import ATTACKS, state_of
from vault_world import AUTH, SECRET, SETTINGS, World

from agentbox import resources

pytestmark = [pytest.mark.vault, pytest.mark.usefixtures("fresh")]

BEFORE_SCOPES = "Landlock knows signals and abstract sockets since ABI 6"
OPEN = ("send_signal", "send_signal_to_thread", "abstract_socket")
ABIS = (1, 2, 3, 4, 5)
WAYS = ("truncate", "openat", "openat-neither", "openat-high-bits", "openat2", "open", "x32-truncate", "i386-truncate")
# Refused by the kernel of these tests itself, on some machines.
NO_CONTROL = ("x32-truncate", "i386-truncate")


@pytest.mark.parametrize("abi", slow_but([2], ABIS))
@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_is_refused(worlds: dict[str, World], request: pytest.FixtureRequest, attack: str, abi: int) -> None:
    if attack in OPEN:
        request.applymarker(pytest.mark.xfail(reason=BEFORE_SCOPES, strict=True))
    world = worlds["vault"]
    before = state_of(world)
    done = world.run(
        "./agent", "execvp", "./attack", attack, launch=True, env={"SECRET_TOKEN": SECRET, "SETTLED": "1"},
        then=functools.partial(pretend, abi),
    )  # fmt: skip
    assert f"Landlock ABI {abi} of this kernel does not cover" in done.stderr
    assert SECRET not in done.stdout
    assert done.returncode not in (0, 2), done.stdout + done.stderr
    assert "agent: signalled" not in done.stderr
    assert state_of(world) == before


@pytest.mark.parametrize("then", [functools.partial(pretend, 2), lambda: None], ids=["ABI 2", "the kernel's own"])
@pytest.mark.parametrize("path", [SETTINGS, AUTH], ids=["one that tools may read", "one that they may not"])
@pytest.mark.parametrize("way", WAYS)
def test_file_is_not_emptied_without_being_opened_for_writing(
    worlds: dict[str, World], way: str, path: Path, then: Callable[[], None]
) -> None:
    if way not in NO_CONTROL:
        control = worlds["control"].run(
            "./agent", "execvp", "./empty_static", way, path, env={"PARANOID_MODE": "false"}
        )
        assert (control.returncode, worlds["control"].read(path)) == (0, ""), control.stderr
    world = worlds["vault"]
    before = world.read(path)
    done = world.run("./agent", "execvp", "./empty_static", way, path, launch=True, then=then)
    assert done.returncode != 0
    assert world.read(path) == before != ""


WORK = {
    "truncate(1)": "truncate -s 3 file",
    "truncate(2)": """python3 -c 'import os; os.truncate("file", 3)'""",
    "syscall(2)": "python3 -c 'import ctypes; assert not ctypes.CDLL(None).syscall({number}, b\"file\", 3)'",
    ">": "printf abc > file",
    "creat": "dd if=/dev/zero of=file bs=3 count=1",
}


@pytest.mark.parametrize("command", WORK.values(), ids=WORK.keys())
def test_tool_still_truncates_what_it_may_write(worlds: dict[str, World], command: str) -> None:
    world = worlds["vault"]
    (world.work / "file").write_text("a longer text")
    (world.work / "file").chmod(0o666)
    script = command.replace("{number}", "76" if os.uname().machine == "x86_64" else "45")
    done = world.run("./agent", "execvp", "sh", "-c", script, launch=True, then=functools.partial(pretend, 2))
    assert done.returncode == 0, done.stderr
    assert (world.work / "file").stat().st_size == 3


# The domain around an agent that stands in nothing else: it may read all, and write nothing.
OUTER = """
import ctypes, os, sys
from agentbox.native import landlock
rules = landlock.Rules()
rules.add(landlock.RUN, ["/"])
domain, (how, *command) = landlock.ruleset(rules), sys.argv[1:]
os.set_inheritable(domain, True)
if how == "bare":
    ctypes.CDLL(None).syscall(446, domain, 0)
    os.execv(command[0], command)
os.execv(how, [how, "--landlock", str(domain), "--", *command])
"""


@pytest.mark.parametrize("way", [way for way in WAYS if way not in NO_CONTROL])
def test_agent_in_landlock_alone_empties_nothing_of_the_users(programs: Path, tmp_path: Path, way: str) -> None:
    file = tmp_path / "a file of the user's"
    left = {}
    for how in HOWS:
        file.write_text("thesis")
        in_outer_domain(how, 2, programs / "empty_static", way, file)
        left[how] = file.read_text()
    assert left == dict(zip(HOWS, ["", "thesis"], strict=True))


# How a process can be sent the signal that opens a Node's debugger.
SIGNALLED = """
import ctypes, fcntl, os, signal, socket, struct, sys
way, pid, call = sys.argv[1], int(sys.argv[2]), ctypes.CDLL(None, use_errno=True).syscall
number = dict(zip(("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"), {numbers}))
queued = struct.pack("iii116x", signal.SIGUSR1, 0, -1)
if way == "fcntl":
    one, other = socket.socketpair()
    fcntl.fcntl(one, fcntl.F_SETOWN, pid)
    fcntl.fcntl(one, fcntl.F_SETSIG, signal.SIGUSR1)
    fcntl.fcntl(one, fcntl.F_SETFL, os.O_ASYNC)
    other.send(b"x")
elif way == "pidfd":
    call(424, os.pidfd_open(pid), signal.SIGUSR1, None, 0)
elif way == "kill-high-bits":
    call(number["kill"], pid, ctypes.c_long(1 << 32 | signal.SIGUSR1))
else:
    threads = [pid, pid] if "tg" in way else [pid]
    call(number[way], *threads, signal.SIGUSR1, *([queued] if "queue" in way else []))
"""
NUMBERS = {"x86_64": (62, 200, 234, 129, 297), "aarch64": (129, 130, 131, 138, 240)}[os.uname().machine]
SIGNALS = ("kill", "kill-high-bits", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd", "fcntl")


@pytest.mark.parametrize("way", SIGNALS)
def test_agent_in_landlock_alone_opens_no_debugger_of_the_users(way: str) -> None:
    ended = {}
    for how in HOWS:
        with subprocess.Popen(["sleep", "60"]) as other:  # of its own accord it does nothing about the signal
            in_outer_domain(how, 5, sys.executable, "-c", SIGNALLED.replace("{numbers}", str(NUMBERS)), way, other.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):
                other.wait(1)
            ended[how] = other.poll()
            other.kill()
    assert ended == dict(zip(HOWS, [-signal.SIGUSR1, None], strict=True))


def test_agent_in_landlock_alone_still_sends_other_signals() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        in_outer_domain(HOWS[1], 5, sys.executable, "-c", f"import os; os.kill({other.pid}, 15)")
        assert other.wait(5) == -signal.SIGTERM


# Entered by a program that knows no filter (the control), and as agents are.
HOWS = ("bare", str(resources.lib("agentbox-enter")))


def in_outer_domain(how: str, abi: int, *command: object) -> None:
    words = [sys.executable, "-c", OUTER, how, *map(str, command)]
    done = subprocess.run(words, check=False, preexec_fn=functools.partial(pretend, abi), capture_output=True)
    assert done.returncode != 125, done.stderr
