"""What the agent's own process does for its tools: the environment they get, the files they do not inherit, the audit."""

from __future__ import annotations

import json
import os
import pty
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from test_matrix import STARTS
from vault_world import AUTH, SECRET, STATE, VAULT, World, policy

pytestmark = [pytest.mark.vault, pytest.mark.usefixtures("fresh")]

ENVIRONMENT = {"ANTHROPIC_API_KEY": SECRET, "SECRET_ONE": SECRET, "SECRET_KEPT": "kept", "ORDINARY": "there"}


@pytest.mark.parametrize("start", STARTS)
def test_hidden_variables_do_not_reach_a_tool(worlds: dict[str, World], start: str) -> None:
    control = worlds["control"].run("./agent", start, "/usr/bin/env", env=ENVIRONMENT)
    assert control.stdout.count(SECRET) == 2
    done = worlds["vault"].run("./agent", start, "/usr/bin/env", env=ENVIRONMENT, launch=True)
    names = {line.split("=")[0] for line in done.stdout.splitlines()}
    assert {"SECRET_KEPT", "ORDINARY", "PATH"} <= names
    assert not names & {"ANTHROPIC_API_KEY", "SECRET_ONE", "AGENTBOX_AGENT_PID"}
    assert done.returncode == 0


BY_LIBC = "libc makes the child from the agent's own descriptors, and no wrapper sees it before it runs"
KEEP_THE_TERMINAL = {
    **dict.fromkeys(("posix_spawn", "posix_spawnp", "popen", "system", "wordexp"), BY_LIBC),
    "in_place": "the agent's own process becomes the tool, and its terminal is the agent's to keep",
}


def marked(start: str) -> object:
    reason = KEEP_THE_TERMINAL.get(start)
    return pytest.param(start, marks=pytest.mark.xfail(strict=True, reason=reason)) if reason else start


@pytest.mark.parametrize("start", [marked(each) for each in STARTS])
def test_a_tool_whose_output_is_collected_has_not_the_agents_terminal(worlds: dict[str, World], start: str) -> None:
    """Nobody gave it another input; what is typed would be its own to read."""
    ours, terminal = pty.openpty()
    words = ("./agent", start, "/bin/sh", "-c", "test -t 0 && echo terminal; echo there")
    control = worlds["control"].run(*words, stdin=terminal)
    done = worlds["vault"].run(*words, stdin=terminal, launch=True)
    os.close(ours)
    os.close(terminal)
    assert control.stdout.split() == ["terminal", "there"]
    assert done.stdout.split() == ["there"]


def test_system_keeps_the_rest_of_its_contract(worlds: dict[str, World]) -> None:
    for command, status in (("exit 3", 3), ("kill -9 $$", 137), ("/nowhere", 127)):
        for name in ("control", "vault"):
            done = worlds[name].run("./agent", "system", "/bin/sh", "-c", command, launch=name == "vault")
            assert done.returncode == status, name


@pytest.mark.parametrize("name", ["control", "vault"])
def test_an_exec_with_an_environment_that_is_nowhere_is_efault(worlds: dict[str, World], name: str) -> None:
    done = worlds[name].run("./agent", "bad_exec", "/bin/true", launch=name == "vault")
    assert (done.returncode, done.stderr) == (0, "")


def test_files_of_the_agent_are_not_inherited(worlds: dict[str, World]) -> None:
    """The agent opens its credential without O_CLOEXEC and still holds it when it starts the tool."""
    script = "cat <&3 2>&1"
    control = worlds["control"].run("./agent", "execv", "/bin/sh", "-c", script)
    assert "Bad file descriptor" not in control.stdout
    done = worlds["vault"].run("./agent", "execv", "/bin/sh", "-c", script, launch=True)
    assert SECRET not in done.stdout
    assert "ad file descriptor" in done.stdout + done.stderr


def test_a_denial_is_one_json_line_without_content(worlds: dict[str, World]) -> None:
    world = worlds["vault"]
    log = VAULT / "log/denials.jsonl"
    world.inside(lambda: log.unlink(missing_ok=True))
    world.run("./agent", "execv", "/bin/cat", str(AUTH), launch=True)
    lines = (world.read(log) or "").splitlines()
    (entry,) = [json.loads(line) for line in lines]
    assert set(entry) == {"time", "pid", "exe", "operation", "path", "rule"}
    assert (entry["exe"], entry["operation"], entry["path"]) == ("/usr/bin/cat", "open", str(AUTH))
    assert SECRET not in "".join(lines)


def test_the_audit_file_is_bounded(worlds: dict[str, World]) -> None:
    world = worlds["vault"]
    log = VAULT / "log/denials.jsonl"
    world.inside(lambda: log.write_bytes(b"x" * 1024 * 1024))
    world.run("./agent", "execv", "/bin/cat", str(AUTH), launch=True)
    assert len(world.read(log) or "") == 1024 * 1024


def test_an_audit_file_that_blocks_does_not_stop_anyone(worlds: dict[str, World]) -> None:
    import os

    world = worlds["vault"]
    log = VAULT / "log/denials.jsonl"

    def make_pipe() -> None:
        log.unlink(missing_ok=True)
        os.mkfifo(log, 0o666)

    world.inside(make_pipe)
    done = world.run("./agent", "execv", "/bin/cat", str(AUTH), launch=True, timeout=10)
    assert "Permission denied" in done.stderr
    world.inside(log.unlink)


def test_an_agent_with_its_own_allocator_starts(worlds: dict[str, World]) -> None:
    world = worlds["vault"]
    world.set_policy(policy(world.work / "agent_own_malloc"))
    try:
        done = world.run("./agent_own_malloc", "vfork", "./read_static", launch=True, timeout=10)
    finally:
        world.set_policy(policy(world.work / "agent"))
    assert (done.returncode, done.stdout) == (1, "")


def test_a_temporary_file_that_becomes_the_credential_is_not_granted(worlds: dict[str, World]) -> None:
    """A grant follows the inode: what stood beside the credential under a name like its own may be renamed over it."""
    world, temporary, other = worlds["vault"], STATE / "auth.json.tmp.4711", STATE / "author.json"

    def write() -> None:
        for path in (temporary, other):
            path.write_text(SECRET)
            path.chmod(0o644)

    for each in worlds.values():
        each.inside(write)
    assert SECRET in worlds["control"].run("./agent", "execv", "/bin/cat", str(temporary)).stdout
    done = world.run("./agent", "execv", "/bin/cat", str(temporary), launch=True)
    assert (SECRET in done.stdout, "Permission denied" in done.stderr) == (False, True)
    assert SECRET in world.run("./agent", "execv", "/bin/cat", str(other), launch=True).stdout


def test_without_the_probe_deep_nesting_still_works_and_stays_confined(worlds: dict[str, World]) -> None:
    """Each level then adds a layer; the seventeenth, which Landlock refuses, is not needed."""
    world = worlds["vault"]
    script = "test $1 = 30 && exec ./read_static; ./nest.sh $(($1 + 1)); exit $?"
    (world.work / "nest.sh").write_text(f"#!/bin/sh\n{script}\n")
    (world.work / "nest.sh").chmod(0o755)
    world.inside((VAULT / ".probe").unlink)
    try:
        done = world.run("./agent", "execv", "./nest.sh", "1", launch=True)
    finally:
        world.inside((VAULT / ".probe").touch)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_policy_that_breaks_while_tools_run_fails_closed(worlds: dict[str, World]) -> None:
    """A confined process reads the policy when it first needs it. Broken by then, it opens nothing; the kernel holds the rest."""
    world = worlds["vault"]
    wait = "until test -e broken; do sleep 0.02; done"
    script = f"cat {STATE}/history; {wait}; cat {STATE}/history; echo $?; ./read_static; echo $?"
    with ThreadPoolExecutor() as pool:
        running = pool.submit(world.run, "./agent", "execv", "/bin/sh", "-c", script, launch=True)
        time.sleep(0.3)
        try:
            world.set_policy("agentbox-vault 1\nrubbish\n")
            (world.work / "broken").touch()
            done = running.result()
        finally:
            world.set_policy(policy(world.work / "agent"))
            (world.work / "broken").unlink()
    assert done.stdout == "allowed content\n125\n1\n"
    assert "vault.policy:2: " in done.stderr
