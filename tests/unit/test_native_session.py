"""Signals and the end of a native session, with a program in agentbox-enter's place."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from agentbox.errors import EngineError
from agentbox.native.session import Session, Start

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
