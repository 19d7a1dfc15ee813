"""Signals and the end of a native session, with a program in agentbox-enter's place."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from agentbox.errors import EngineError
from agentbox.native import sessions
from agentbox.native.session import Session, Start
from agentbox.native.sessions import Running

AGENT = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
time.sleep(0.5)
if "silent" not in sys.argv:
    os.write(int(sys.argv[sys.argv.index("--control") + 1]), b"+")
while "waits" in sys.argv:
    time.sleep(0.1)
sys.exit(7)
"""


@pytest.fixture
def session(request: pytest.FixtureRequest) -> Any:
    start = Start(dict(os.environ), [sys.executable, "-c", AGENT, *getattr(request, "param", ())])
    return Session(start, None, SimpleNamespace(uid=os.getuid(), gid=os.getgid()))  # type: ignore[arg-type]


@pytest.mark.parametrize("session", [("waits",)], indirect=True)
def test_a_signal_that_comes_before_the_agent_waits_for_it(session: Session) -> None:
    with session:
        session.start()
        assert session.kill("SIGTERM")
        assert session.wait() == 9


def test_what_cannot_wait_is_said(session: Session) -> None:
    with session:
        session.start()
        assert not session.kill("SIGKILL")


def test_an_agent_that_ends_at_once_has_been_there(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(pid: int) -> int:
        raise ProcessLookupError(pid)

    monkeypatch.setattr(os, "pidfd_open", gone)
    with session:
        session.start()
        assert session.wait() == 7


@pytest.mark.parametrize("session", [("silent",)], indirect=True)
def test_one_that_never_came_is_an_error(session: Session) -> None:
    with session:
        session.start()
        with pytest.raises(EngineError, match="did not start"):
            session.wait()


def stopped(monkeypatch: pytest.MonkeyPatch, seconds: float) -> int:
    """How an agentbox ends that is told to stop and takes `seconds` for it, of which a container would have 0.5."""
    monkeypatch.setattr(sessions, "STOP_SECONDS", 0.5)
    ends = f"import signal, sys, time; signal.signal(15, lambda *_: (time.sleep({seconds}), sys.exit(3)))"
    program = f"{ends}; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        monkeypatch.setattr(sessions.time, "sleep", lambda _: process.poll())  # somebody has to collect it
        sessions.stop(Running("x", "pi", "/", [], process.pid, 0))
        return process.wait()


def test_stop_leaves_time_to_clean_up_after_an_agent_that_had_to_be_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stopped(monkeypatch, 0.7) == 3


def test_stop_ends_what_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stopped(monkeypatch, 30) == -9


def test_stop_of_what_has_ended_meanwhile_is_no_error() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    sessions.stop(Running("x", "pi", "/", [], process.pid, 0))
