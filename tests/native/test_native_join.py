"""`agentbox shell` beside an agent that runs natively: the same sandbox, with a tool's rights."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest
from boxes import AGENTS
from fake_model import FakeModel, Shell
from native_box import OWN_HOST, UID, NativeBox

pytestmark = [pytest.mark.npm, pytest.mark.slow]

STATUS = "grep -E 'CapEff|CapPrm|NoNewPrivs|Seccomp:' /proc/self/status; ulimit -n; ulimit -c"


@pytest.fixture
def running(box: NativeBox) -> Iterator[subprocess.Popen[str]]:
    """A session that waits for the file `stop`."""
    script = "echo here > $HOME/one; echo up; while [ ! -e stop ]; do sleep 0.05; done"
    with started(box, script) as process:
        yield process


@contextlib.contextmanager
def started(box: NativeBox, script: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    words = ("shell", "pi", "--engine", "native", *(options or ("--network", "none")), "--", "bash", "-c", script)
    process = box.start(*words)
    assert process.stdout is not None
    while (line := process.stdout.readline()).strip() != "up":
        assert line, process.wait()
    yield process
    (box.workspace / "stop").touch()
    process.communicate(timeout=30)


def test_a_shell_is_in_the_running_session_and_says_so(box: NativeBox, running: subprocess.Popen[str]) -> None:
    inside = box.shell("cat $HOME/one; pwd; echo there > $HOME/two")
    again = box.shell("cat $HOME/two")
    (box.workspace / "stop").touch()
    assert running.wait(30) == 0
    after = box.shell("cat $HOME/one")

    workspace = "/workspace" if box.bubblewrap else str(box.workspace)
    assert inside.stdout == f"here\n{workspace}\n", inside.stderr
    assert "in agentbox-pi-" in inside.stderr
    assert again.stdout == "there\n"
    assert (after.stdout, "a new sandbox: no session runs here" in after.stderr) == ("", True)


def test_another_folders_session_is_not_joined(box: NativeBox, running: subprocess.Popen[str]) -> None:
    other = box.home / "other"
    other.mkdir()
    done = box.shell("true", "--network", "none", "-w", str(other))
    assert done.returncode == 0
    assert "a new sandbox" in done.stderr


def test_it_has_a_tools_rights_beside_an_agent_at_work(box: NativeBox) -> None:
    agent, secret = AGENTS["pi"], box.secret(AGENTS["pi"])
    canary = box.put(".ssh/id_ed25519", "canary-of-the-user")
    box.allow(OWN_HOST)
    with FakeModel([Shell("touch up; while [ ! -e stop ]; do sleep 0.05; done")]) as model:
        url = model.url.replace("127.0.0.1", OWN_HOST)
        agent.seed(box, url, agent.key)  # type: ignore[arg-type]  # a box as well
        process = box.start("run", "pi", "--engine", "native", *agent.options, "--", *agent.turn)
        while not (box.workspace / "up").exists():
            assert process.poll() is None, process.stdout and process.stdout.read()
            time.sleep(0.05)
        fetch = "curl -s -o /dev/null -w '%{http_code}\\n'"
        done = box.shell(
            f"cat {secret} {canary}; echo read=$?; {STATUS}; {fetch} {url}/v1/models; {fetch} --noproxy '*' {model.url}"
        )
        seen = box.shell(
            "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -c ANTHROPIC; kill -9 $(pgrep -x node); true"
        )
        alive = process.poll() is None
        (box.workspace / "stop").touch()
        out, _ = process.communicate(timeout=60)

    lines = done.stdout.splitlines()
    assert lines[:1] == ["read=1"], done.stdout + done.stderr
    capabilities = ["CapPrm:\t0000000000000000", "CapEff:\t0000000000000000"]
    assert lines[1:7] == [*capabilities, "NoNewPrivs:\t1", "Seccomp:\t2", "16384", "0"]
    assert lines[7] not in ("000", "403"), "the broker is the session's"
    assert lines[8] == "000", "nothing is reached but through the broker"
    assert (seen.stdout.strip(), alive) == ("0", True)
    assert (process.returncode, "DONE" in out) == (0, True)


def test_exit_codes_and_signals_are_the_commands(box: NativeBox, running: subprocess.Popen[str]) -> None:
    assert box.shell("exit 7").returncode == 7
    assert box.shell("kill -9 $$").returncode == 128 + 9
    assert box.agentbox("shell", "pi", "--engine", "native", "--", "/nowhere").returncode == 127
    with started(box, "trap 'echo got it; exit 9' TERM; echo up; while :; do sleep 0.1; done") as process:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert (out.strip(), process.returncode) == ("got it", 9)


def test_kill_9_of_the_shells_agentbox_ends_the_shell_alone(box: NativeBox, running: subprocess.Popen[str]) -> None:
    with started(box, "echo up; exec sleep 6464") as process:
        assert _named("sleep 6464")
        process.kill()
        process.wait()
        until = time.monotonic() + 10
        while _named("sleep 6464") and time.monotonic() < until:
            time.sleep(0.05)
        assert _named("sleep 6464") == []
        assert running.poll() is None
        assert box.shell("cat $HOME/one").stdout == "here\n"


def test_the_shell_ends_with_the_session(box: NativeBox, running: subprocess.Popen[str]) -> None:
    with started(box, "echo up; sleep 6565") as process:
        (box.workspace / "stop").touch()
        running.wait(30)
        assert process.wait(30) > 128
        assert _named("sleep 6565") == []


def _named(words: str) -> list[int]:
    found = psutil.process_iter(["cmdline", "uids", "status"])
    return [
        each.pid
        for each in found
        if each.info["uids"]
        and each.info["uids"].real == UID
        and each.info["status"] != psutil.STATUS_ZOMBIE
        and " ".join(each.info["cmdline"] or ()) == words
    ]
