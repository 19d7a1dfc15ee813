"""`agentbox verify --engine native`, with bubblewrap and without, as a user without rights: green for what agentbox
starts, red in the right family where one protection is off."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from native_box import INSTALLED, UID, NativeBox, as_user, own_python
from older_landlock import pretend
from reporting import show

from agentbox import policy
from agentbox.native import claims
from agentbox.verify import catalogue, sandboxes, verdict

pytestmark = [pytest.mark.npm, pytest.mark.slow]

SHIPPED = catalogue.load(catalogue.OWN)
WITHOUT = """
import functools, sys
from agentbox import verify
verify.Plan = functools.partial(verify.Plan, off=frozenset({off!r}))
sys.argv = ["agentbox", "verify", *sys.argv[1:]]
from agentbox.cli import main
main()
"""
# By protection: the attacks that get through without it, and one beside them that something else stops.
ALONE = {
    "vault": (["file/cat", "file/static-program"], "network/direct"),
    "guard": (["file/own-read"], "file/cat"),
    "seccomp": (["process/child-descriptor"], "file/cat"),
    "network": (["network/host-loopback", "network/host-loopback-by-agent"], "file/cat"),
    "keys": (["credentials/key-in-environment"], "file/cat"),
    "environment": (["credentials/host-environment", "credentials/host-environment-by-agent"], "file/cat"),
    "mounts": (["credentials/broker-keys-by-agent", "credentials/host-files-by-agent"], "file/cat"),
    "processes": (["process/host-environ-by-agent", "process/host-signal-by-agent"], "file/cat"),
    "report": (["later/envrc"], "file/cat"),
    "pids": (["bounds/fork-bomb"], "file/cat"),
}
CONTAINED = {
    "masks": (["file/secret-of-workspace"], "file/cat"),
    "hooks": (["later/git-hook"], "file/cat"),
    "capabilities": (["bounds/capabilities"], "file/cat"),
}
SECONDS = 60


def verify(box: NativeBox, *words: str, agent: str = "pi", off: tuple[str, ...] = (), **options: Any) -> dict[str, Any]:
    """What it says in JSON, with its exit code."""
    program = [*own_python(), "-c", WITHOUT.format(off=off)]
    program += [agent, "--engine", "native", "--json", *words]
    said = as_user(program, env=box.environment(), cwd=box.workspace, **options)
    assert said.stdout, said.stderr
    return {**json.loads(said.stdout), "code": said.returncode}


def by_level(said: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in said["verdicts"]:
        found.setdefault(each["verdict"], []).append(f"{each['family']}/{each['name']}")
    return found


def named(paths: list[str]) -> list[str]:
    return [word for path in paths for word in ("--only", path)]


def test_all_attacks_that_are_claimed_are_denied(box: NativeBox, pytestconfig: pytest.Config) -> None:
    cache = INSTALLED / "pi" / policy.load("pi").package.version / "compile-cache"
    assert box.run("pi", "--version", options=("--network", "none")).returncode == 0
    before = sorted(cache.rglob("*"))
    said = verify(box)
    found = by_level(said)
    wrong = [each for each in said["verdicts"] if each["verdict"] in ("breach", "not proven")]

    assert (wrong, said["code"]) == ([], 0)
    assert sorted(cache.rglob("*")) == before != []  # the controls leave nothing in it
    assert {each["name"] for each in said["verdicts"]} == {
        each.name for each in SHIPPED if "native" in each.engines and "pi" in each.agents
    }
    names = set(claims.unclaimed(alone=not box.bubblewrap))
    left = {each.path for each in SHIPPED if each.stopped_by <= names}
    left |= {each.path for each in SHIPPED if claims.unknown(each.path, alone=not box.bubblewrap)}
    assert set(found["not claimed here"]) == left | set(sandboxes.UNTRIED)
    how = "bubblewrap" if box.bubblewrap else "Landlock alone"
    counts = ", ".join(f"{len(paths)} {level}" for level, paths in found.items())
    show(pytestconfig, [f"agentbox verify pi, native with {how}: {counts}; {said['seconds']['pi']} s"])


@pytest.mark.parametrize("name", [*ALONE, *CONTAINED])
def test_without_just_one_protection_it_is_red_in_the_right_family(box: NativeBox, name: str) -> None:
    if name in CONTAINED and not box.bubblewrap:
        said = verify(box, *named(CONTAINED[name][0]))
        assert (list(by_level(said)), said["code"]) == (["not claimed here"], 0)
        return
    through, other = {**ALONE, **CONTAINED}[name]
    said = verify(box, *named([*through, other]), off=(name,))
    assert by_level(said) == {"breach": through, "denied": [other]}
    assert said["code"] == 1


def test_with_an_older_landlock_the_same_files_are_denied(box: NativeBox) -> None:
    if not box.bubblewrap:  # the supervisor of its connections leaves no room for who answers the question
        box.put(".config/agentbox/config.toml", '[network]\nmode = "open"\n')
    said = verify(box, *named(["file/*", "process/signal"]), preexec_fn=functools.partial(pretend, 2))
    found = by_level(said)
    assert (found.keys() - {"denied", "not claimed here", "refused by the kernel"}, said["code"]) == (set(), 0)
    assert "file/truncate" in found["denied"]
    assert "process/signal" in found["not claimed here"]


@pytest.mark.parametrize("agent", ["claude", "opencode", "hermes"])
def test_the_other_agents_own_tools_are_guarded_as_well(box: NativeBox, agent: str) -> None:
    said = verify(box, "--only", "*/own-read*", "--only", "*/own-write*", agent=agent)
    wrong = [each for each in said["verdicts"] if each["verdict"] != "denied"]
    assert (wrong, said["code"]) == ([], 0)
    assert {each["name"] for each in said["verdicts"]} == {
        each.name for each in SHIPPED if each.is_tool and agent in each.agents
    }


def test_a_kernel_that_refuses_by_itself_is_told_apart(box: NativeBox) -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ping_group_range").read_text().split())
    level = "denied" if first <= UID <= last else "refused by the kernel"
    said = verify(box, "--only", "network/ping")
    assert (by_level(said), said["code"]) == ({level: ["network/ping"]}, 0)


def test_an_attack_of_ones_own_in_which_the_agent_attacks(box: NativeBox) -> None:
    head = "# says: Mine.\n# stopped by: mounts\n# as: agent\n# proof: canary\n# source: me\n"
    box.put(".config/agentbox/attacks/file/mine.sh", head + 'cat "$HOST_HOME/.ssh/id_ed25519"\n')
    said = verify(box, "--only", "file/mine-by-agent")
    assert (by_level(said), said["code"]) == ({"denied": ["file/mine-by-agent"]}, 0)


def test_nothing_of_the_users_is_taken_into_it(box: NativeBox) -> None:
    """His credentials are neither read nor shown, and nothing is left of it."""
    kept = box.put(".pi/agent/auth.json", {"anthropic": {"type": "api_key", "key": "sk-of-the-user"}})
    box.put(".ssh/id_ed25519", "canary-of-the-user")
    box.extra = {"ANTHROPIC_API_KEY": "sk-of-the-users-shell"}
    before = kept.read_text()
    words = ["verify", "pi", "--engine", "native", "--only", "file/cat", "--only", "credentials/key-in-*", "--json"]
    said = box.agentbox(*words, "--only", "credentials/host-keys*")

    assert said.returncode == 0, said.stdout + said.stderr
    assert "of-the-user" not in said.stdout + said.stderr
    assert kept.read_text() == before
    assert left(box) == []


def test_without_a_network_the_scripted_model_alone_is_reached(box: NativeBox) -> None:
    box.put(".config/agentbox/config.toml", '[network]\nmode = "none"\n')
    tried = ["file/own-read", "file/cat", "network/direct", "network/host-loopback"]
    said = verify(box, *named([*tried, "credentials/broker-keys"]))
    found = by_level(said)
    assert found.pop(verdict.UNCLAIMED) == ["credentials/broker-keys"]
    assert ({level: sorted(paths) for level, paths in found.items()}, said["code"]) == ({"denied": sorted(tried)}, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run it for somebody else")
def test_root_runs_it_for_the_user_whom_it_names(box: NativeBox) -> None:
    """With an interpreter and a working tree that the user may not even see; what is left is his."""
    tried = ["file/own-read", "file/cat", "credentials/key-in-environment", "process/host-environ-by-agent"]
    env = box.environment() | {"HOST_UID": str(UID), "HOST_GID": str(UID)}
    words = [sys.executable, "-m", "agentbox", "verify", "pi", "--engine", "native", "--json", *named(tried)]
    done = subprocess.run(words, env=env, cwd=box.workspace, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    found = by_level(json.loads(done.stdout))
    assert {level: sorted(paths) for level, paths in found.items()} == {"denied": sorted(tried)}
    assert [path for path in box.home.rglob("*") if path.stat().st_uid != UID] == []
    assert left(box) == []


def left(box: NativeBox) -> list[str]:
    state = box.home / ".local/state"
    places = (state / "agentbox-verify", state / "agentbox/run", state / "agentbox/audit")
    return [path.name for place in places if place.exists() for path in place.iterdir()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_after_an_interruption(box: NativeBox, number: int) -> None:
    default = ["env", "--default-signal=INT"]  # background jobs of scripts ignore it, and so would this one
    box_words = box.words("verify", "pi", "--engine", "native", "--only", "file/*")
    process = psutil.Popen([*default, *box_words], cwd=box.workspace, env=box.environment(), **ids())
    until = time.monotonic() + SECONDS
    while not list((box.home / ".local/state/agentbox-verify").glob("*/*/verify/out/[0-9]*")):
        assert time.monotonic() < until, "no attack has run"
        assert process.poll() is None
        time.sleep(0.05)
    inside = process.children(recursive=True)
    assert inside
    process.send_signal(number)

    killed = number == signal.SIGKILL
    assert process.wait(SECONDS) == (-number if killed else 130)
    assert psutil.wait_procs(inside, SECONDS)[1] == []
    if killed:
        assert left(box) != []
        assert box.shell("true").returncode == 0  # the next start cleans
    assert [name for name in left(box) if not (killed and "-pi-" in name)] == []


def ids() -> dict[str, Any]:
    return {"user": UID, "group": UID, "extra_groups": []} if os.getuid() == 0 else {}
