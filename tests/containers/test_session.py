"""The life of one run on a real engine: exit codes, signals, odd folders, and nothing left behind."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from boxes import NO_BROKER, REAL_USER, UID, Box, own

from agentbox import identity
from agentbox.generate import ROOT

WAIT = 60
TRAPS = """
trap 'echo got INT; exit 42' INT; trap 'echo got TERM; exit 43' TERM; trap 'echo got HUP; exit 44' HUP
echo ready; while :; do sleep 0.1; done
"""


def shell(box: Box, *words: str, **options: object) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "agentbox", "shell", "--", *words]
    given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} | options
    return subprocess.Popen(argv, env=box.environment(), cwd=box.workspace, start_new_session=True, **given)


def left_behind(box: Box) -> list[str]:
    """Containers and networks of the box's folder, its run directories, and the secrets of its runs."""
    label = "--filter=label=io.agentbox.workspace"
    found = []
    for words in (["ps", "-a", "--format={{.Names}} {{.Labels}}"], ["network", "ls", "--format={{.Name}} {{.Labels}}"]):
        listed = subprocess.run(
            ["docker", *words, label], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        found += [line.split()[0] for line in listed if str(box.workspace) in line]
    audit, runs = (box.home / ".local/state/agentbox" / name for name in ("audit", "run"))
    ids = [path.name.rpartition("-")[2] for path in audit.iterdir()] if audit.is_dir() else []
    secrets = identity.Identity(UID, UID, "", box.home).secrets
    found += [str(secrets / run) for run in ids if (secrets / run).exists()]
    return found + ([path.name for path in runs.iterdir()] if runs.is_dir() else [])


@pytest.fixture(autouse=True)
def leaves_nothing(box: Box) -> Iterator[None]:
    yield
    assert left_behind(box) == []


@pytest.mark.parametrize("code", [0, 1, 7, 125, 126, 127, 255])
def test_exit_code_is_the_programs(box: Box, code: int):
    assert box.agentbox("shell", "pi", *NO_BROKER, "--", "bash", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("code", [0, 7])
def test_exit_code_is_the_programs_beside_a_broker_too(box: Box, code: int):
    assert box.shell("pi", f"exit {code}").returncode == code


def test_program_that_does_not_exist_is_127(box: Box):
    assert box.agentbox("shell", "--", "no-such-program").returncode == 127


def test_words_reach_the_agent_untouched(box: Box):
    done = box.agentbox("shell", "--", "printf", "%s|", "$HOME", "${X:-y}", "a b", "--", "-w", "")
    assert done.stdout == "$HOME|${X:-y}|a b|--|-w||"


def test_piped_input_and_output(box: Box):
    process = shell(box, "cat", stdin=subprocess.PIPE)
    assert process.communicate(b"one\ntwo\x00\n", WAIT)[0] == b"one\ntwo\x00\n"


def test_environment_by_value_and_by_name(box: Box):
    # pi is a Node script, and Node says so when it is told to run another one first.
    (box.workspace / "show.cjs").write_text("console.log(process.env.ONE, process.env.REAL_USER); process.exit(0)")
    options = ("-e", "ONE=a$b ${HOME}", "-e", "REAL_USER", "-e", "NODE_OPTIONS=--require=/workspace/show.cjs")
    assert box.agentbox("run", "pi", *options).stdout == f"a$b ${{HOME}} {REAL_USER}\n"


@pytest.mark.parametrize("whole_group", [False, True], ids=["agentbox alone", "the whole group"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 42), (signal.SIGTERM, 43), (signal.SIGHUP, 44)])
def test_signal_reaches_the_program_once_and_its_exit_code_comes_back(
    box: Box, number: int, code: int, whole_group: bool
):
    process = shell(box, "sh", "-c", TRAPS)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    (os.killpg if whole_group else os.kill)(process.pid, number)
    output = process.communicate(timeout=WAIT)[0]
    assert output == f"got {signal.Signals(number).name[3:]}\n".encode()
    assert process.returncode == code


def test_program_that_ignores_sigterm_is_killed_in_time(box: Box):
    process = shell(box, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    begin = time.monotonic()
    process.terminate()
    assert process.wait(WAIT) == 137
    assert 8 < time.monotonic() - begin < 30


def test_terminal_interrupt_is_a_key(box: Box):
    master, slave = pty.openpty()
    process = shell(box, "sh", "-c", "test -t 0 && test -t 1;" + TRAPS, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = read_until(master, b"ready")
    os.write(master, b"\x03")
    seen = read_until(master, b"got INT")
    assert process.wait(WAIT) == 42, seen
    os.close(master)


def read_until(master: int, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        try:
            more = os.read(master, 4096)
        except OSError:  # the other end is closed
            break
        seen += more
    assert words in seen
    return seen


def test_killed_agentbox_is_cleaned_up_by_the_next_run(box: Box):
    process = shell(box, "sh", "-c", TRAPS)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait(WAIT)
    process.stdout.close()
    assert left_behind(box)
    done = box.run("pi", "--version")
    assert done.returncode == 0, done.stderr


def test_clean_does_so_too_and_spares_the_living(box: Box, tmp_path: Path):
    dead, living = shell(box, "sh", "-c", TRAPS), None
    try:
        assert dead.stdout is not None
        assert dead.stdout.readline() == b"ready\n"
        other = box.workspace.with_name("project-2")
        other.mkdir()
        own(other)
        living = subprocess.Popen(
            [sys.executable, "-m", "agentbox", "shell", "-w", str(other), "--", "sh", "-c", TRAPS],
            env=box.environment(), cwd=box.workspace, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert living.stdout is not None
        assert living.stdout.readline() == b"ready\n"
        everything = set(left_behind(box))
        dead.kill()
        dead.wait(WAIT)
        removed = box.agentbox("clean").stdout.splitlines()
        # Of each run: its container, its broker, two networks, its run directory and its secrets.
        assert len(everything) == 12
        assert len(set(left_behind(box))) == 6
        assert any("/state/agentbox/run/" in name for name in removed)
        assert living.poll() is None
    finally:
        if living is not None:
            living.terminate()
            assert living.wait(WAIT) == 43


def test_shell_joins_the_running_container(box: Box):
    process = shell(box, "sh", "-c", TRAPS)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    try:
        joined = box.shell("pi", "ps ax | grep -c 'got [I]NT'")
        assert joined.stdout.strip() >= "1", joined.stderr
        listed = box.agentbox("ps").stdout
        assert str(box.workspace) in listed
        # By its name: the newest of all may be another checkout's, whose tests use the same engine.
        name = next(name for name in left_behind(box) if name.startswith("agentbox-pi-"))
        assert "ready" in box.agentbox("logs", name).stdout
    finally:
        process.terminate()
        process.wait(WAIT)


def test_stop_ends_it(box: Box):
    process = shell(box, "sh", "-c", TRAPS)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    name = next(name for name in left_behind(box) if name.startswith("agentbox-pi-"))
    assert box.agentbox("stop", name).stdout == f"{name}\n"
    assert process.wait(WAIT) == 43


@pytest.mark.parametrize("name", ["a:b", "a,b", "a b", "a\nb", "$HOME", "ä"])
def test_folder_of_any_name(box: Box, name: str):
    folder = box.workspace / name
    folder.mkdir()
    own(folder)
    done = box.agentbox("shell", *NO_BROKER, "-w", name, "--", "sh", "-c", "echo x > file; pwd")
    assert done.stdout == "/workspace\n", done.stderr
    assert (folder / "file").stat().st_uid == UID


def test_further_mounts(box: Box):
    for name in ("two", "three"):
        (box.home / name).mkdir()
        own(box.home / name)
    options = (*NO_BROKER, "-w", ".", "-w", str(box.home / "two"), "--mount", f"{box.home}/three:ro")
    script = "touch /workspace-2/x && touch /workspace-3/x 2>/dev/null || echo read-only"
    assert box.agentbox("shell", *options, "--", "sh", "-c", script).stdout == "read-only\n"
    assert (box.home / "two" / "x").exists()


def test_agent_state_in_an_allowed_home_is_covered(box: Box):
    box.put(".pi/agent/auth.json", "secret")
    box.put(".claude/.credentials.json", "secret")
    options = (*NO_BROKER, "-w", str(box.home), "--allow-home")
    done = box.agentbox("shell", *options, "--", "sh", "-c", "ls -A .pi .claude; touch .pi/x || echo covered")
    assert "secret" not in done.stdout
    assert "auth.json" not in done.stdout
    assert "credentials" not in done.stdout
    assert "covered" in done.stdout


def test_container_that_cannot_start_is_125_and_says_why(box: Box):
    box.put(".config/agentbox/config.toml", '[[tmpfs]]\npath = "/workspace/x/y"\nsize = "1m"\nmode = "9999"\n')
    assert box.run("pi", "--version").returncode == 2
    box.put(".config/agentbox/config.toml", "[limits]\nnofile = 1048576\n")
    done = box.run("pi", "--version")
    if done.returncode == 0:
        pytest.skip("this engine gives more than a million open files")
    assert done.returncode == 125
    assert "agentbox: container: did not start" in done.stderr


@pytest.mark.alone
def test_image_of_an_older_agentbox_is_rebuilt(box: Box, images: Callable[[str], str]):
    old = f"FROM {images('pi')}\nLABEL io.agentbox.inputs=older\n".encode()
    subprocess.run(["docker", "build", "-q", "-t", images("pi"), "-"], input=old, check=True, capture_output=True)
    done = box.run("pi", "--version")
    assert done.returncode == 0, done.stderr
    assert "agentbox: building pi" in done.stderr
    assert "building" not in box.run("pi", "--version").stderr


def test_plain_compose_runs_the_generated_file(box: Box):
    box.put(".pi/x", "")
    done = subprocess.run(
        ["docker", "compose", "-f", f"{ROOT}/containers/compose.yaml", "run", "--rm", "-T", "pi", "pi", "--version"],
        env={**box.environment(), "WORKDIR": str(box.workspace)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_project_name_in_the_environment_is_not_the_sessions(box: Box, monkeypatch: pytest.MonkeyPatch):
    """This one is no name at all: the control, in which Compose takes it, fails."""
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "Foo Bar")
    done = box.agentbox("shell", "pi", *NO_BROKER, "--", "true")
    assert done.returncode == 0, done.stderr
    plain = ["docker", "compose", "-f", f"{ROOT}/containers/compose.yaml", "config", "--quiet"]
    control = subprocess.run(plain, env=box.environment(), capture_output=True, text=True, check=False)
    assert "project name" in control.stderr
