"""`agentbox verify` on the real engine: green for what agentbox starts, red in the right family where one protection is off."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from boxes import Agent, Box, finished
from reporting import show

from agentbox.verify import catalogue
from agentbox.verify.protections import PROTECTIONS

SHIPPED = catalogue.load(catalogue.OWN)
# By protection: an attack that it alone stops, and the family in which verify goes red.
ALONE = {
    "vault": ("file/static-program", "file"),
    "guard": ("file/own-read", "file"),
    "seccomp": ("process/child-descriptor", "process"),
    "network": ("network/direct", "network"),
    "keys": ("credentials/key-in-environment", "credentials"),
    "environment": ("credentials/host-environment", "credentials"),
    "masks": ("file/secret-of-workspace", "file"),
    "mounts": ("credentials/host-keys", "credentials"),
    "hooks": ("later/git-hook", "later"),
    "report": ("later/envrc", "later"),
    "user": ("bounds/root-file", "bounds"),
    "capabilities": ("bounds/capabilities", "bounds"),
    "privileges": ("bounds/new-privileges", "bounds"),
    "rootfs": ("bounds/write-image", "bounds"),
    "noexec": ("bounds/execute-temporary", "bounds"),
    "pids": ("bounds/fork-bomb", "bounds"),
    "memory": ("bounds/memory", "bounds"),
}
PROGRAM = """
import functools, sys
from agentbox import verify
verify.Plan = functools.partial(verify.Plan, off=frozenset({off!r}))
sys.argv = ["agentbox", "verify", *sys.argv[1:]]
from agentbox.cli import main
main()
"""
CLEAN_SECONDS = 60


def said(answer: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    """The attacks by verdict."""
    assert answer.stdout, answer.stderr
    found: dict[str, list[str]] = {"denied": [], "breach": [], "not proven": [], "refused by the kernel": []}
    for each in json.loads(answer.stdout)["verdicts"]:
        found[each["verdict"]].append(f"{each['family']}/{each['name']}")
    return found


def test_all_attacks_on_what_agentbox_starts_are_denied(agent: Agent, box: Box, pytestconfig: pytest.Config):
    answer = box.agentbox("verify", agent.name, "--json", timeout=600)
    found = said(answer)
    assert (found["breach"], found["not proven"]) == ([], []), json.loads(answer.stdout)
    assert answer.returncode == 0
    tried = {each.path for each in SHIPPED if agent.name in each.agents and "docker" in each.engines}
    assert {*found["denied"], *found["refused by the kernel"]} == tried
    seconds = json.loads(answer.stdout)["seconds"][agent.name]
    show(pytestconfig, [f"agentbox verify {agent.name}: {len(found['denied'])} attacks denied, {seconds} s"])


def test_each_protection_of_a_container_has_its_attack_in_that_table():
    assert set(ALONE) == set(PROTECTIONS) - {"processes"}  # which stands for a namespace that a container always has


@pytest.mark.parametrize("name", ALONE)
def test_without_just_one_protection_it_is_red_in_the_right_family(box: Box, images: Callable[[str], str], name: str):
    path, family = ALONE[name]
    attack = next(each for each in SHIPPED if each.path == path)
    assert (attack.stopped_by, attack.family) == ({name}, family)
    # Beside it one that something else stops, which still holds.
    other = "bounds/capabilities" if name != "capabilities" else "bounds/write-image"
    words = ["pi", "--json", "--only", path, "--only", other]
    program = PROGRAM.format(off=[name])
    answer = finished([sys.executable, "-c", program, *words], 300, env=box.environment(), cwd=box.workspace)
    found = said(answer)
    assert found["breach"] == [path], answer.stdout
    assert found["denied"] == [other]
    assert answer.returncode == 1


def test_an_attack_of_ones_own(box: Box, images: Callable[[str], str]):
    head = "# says: Mine.\n# stopped by: {}\n# proof: canary\n# source: me\n"
    box.put(".config/agentbox/attacks/file/mine.sh", head.format("vault") + 'cat "$SECRET"\n')
    box.put(".config/agentbox/attacks/file/wrong.sh", head.format("noexec") + 'cat "$SECRET"\n')
    found = said(box.agentbox("verify", "pi", "--json", "--only", "file/mine", "--only", "file/wrong"))
    assert (found["denied"], found["breach"], found["not proven"]) == (["file/mine"], [], ["file/wrong"])


def test_a_configuration_that_opens_something_is_red(box: Box, images: Callable[[str], str]):
    """It is the user's own set-up that is tried, not the one agentbox would choose."""
    box.put(".config/agentbox/config.toml", '[workspace]\nhooks = "write"\n')
    answer = box.agentbox("verify", "pi", "--json", "--only", "later/git-hook", "--only", "file/cat")
    found = said(answer)
    assert (found["denied"], found["breach"], found["not proven"]) == (["file/cat"], ["later/git-hook"], [])
    assert answer.returncode == 1


def started(box: Box) -> subprocess.Popen[bytes]:
    """One that is in the middle of its work: containers run."""
    words = [sys.executable, "-m", "agentbox", "verify", "pi", "--only", "file/*"]
    process = subprocess.Popen(
        words,
        env=box.environment(),
        cwd=box.workspace,
        stdout=subprocess.PIPE,
        # Background jobs of scripts ignore it, and so would this one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  no threads here
    )
    state = Path(f"{box.home}/.local/state/agentbox-verify")
    until = time.monotonic() + CLEAN_SECONDS
    while not list(state.glob("*/*/verify/out/[0-9]*")):
        assert time.monotonic() < until, "no attack has run"
        assert process.poll() is None
        time.sleep(0.1)
    return process


def labelled(process: subprocess.Popen[bytes]) -> list[str]:
    """What the engine has of a process's."""
    found = []
    for kind in (["ps", "--all"], ["network", "ls"]):
        name = "{{.Names}}" if kind[0] == "ps" else "{{.Name}}"
        listed = finished(["docker", *kind, "--filter=label=io.agentbox.owner", "--format", f"{name} {{{{.Labels}}}}"])
        found += [line for line in listed.stdout.splitlines() if f"io.agentbox.owner={process.pid}:" in line]
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_after_an_interruption(box: Box, images: Callable[[str], str], number: int):
    process = started(box)
    process.send_signal(number)
    assert process.wait(CLEAN_SECONDS) == 130
    assert labelled(process) == []
    assert list(Path(f"{box.home}/.local/state/agentbox-verify").iterdir()) == []
    assert list(Path(f"{box.home}/.local/state/agentbox/run").iterdir()) == []


def test_what_a_killed_one_leaves_agentbox_clean_removes(box: Box, images: Callable[[str], str]):
    process = started(box)
    process.kill()
    process.wait(CLEAN_SECONDS)
    assert labelled(process) or list(Path(f"{box.home}/.local/state/agentbox-verify").iterdir())
    until = time.monotonic() + CLEAN_SECONDS
    while labelled(process) and time.monotonic() < until:
        # Compose, which outlives its caller, may still be starting something.
        assert box.agentbox("clean").returncode == 0
        time.sleep(0.5)
    assert labelled(process) == []
    assert list(Path(f"{box.home}/.local/state/agentbox-verify").iterdir()) == []
