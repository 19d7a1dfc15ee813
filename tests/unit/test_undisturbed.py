"""A run that is taken away while somebody presses ^C once more."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agentbox import identity, policy, session
from agentbox.interruption import ENDS, undisturbed
from agentbox.native import run


def request_of(home: Path, ended: Any) -> Any:
    who = identity.Identity(os.geteuid(), os.getegid(), "dev", home)
    nothing = {"masks": (), "mounts": (), "brokered": False, "git": SimpleNamespace(mounts=(), covers=())}
    return SimpleNamespace(identity=who, policy=policy.load("pi"), workspace=str(home), ended=ended, **nothing)


def fail(*_: object, **__: object) -> None:
    raise RuntimeError("no start")


def in_a_container(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_lay_out", fail)
    monkeypatch.setattr(session, "compose_program", lambda: ["compose"])
    with session._container(request, SimpleNamespace(remove=lambda name: None), tty=False):  # type: ignore[arg-type]
        pass


def natively(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.layout, "lay_out", fail)
    with run.sandbox(request, None, None, "0123", alone=False):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize("engine", [in_a_container, natively])
@pytest.mark.parametrize("number", ENDS)
def test_a_signal_does_not_end_the_cleaning_up(
    home: Path, monkeypatch: pytest.MonkeyPatch, engine: Any, number: signal.Signals
) -> None:
    done = []

    def ended(_: object) -> None:
        os.kill(os.getpid(), number)
        done.append(number)

    with pytest.raises(RuntimeError, match="no start"):
        engine(request_of(home, ended), monkeypatch)
    assert done == [number]


def test_control_a_signal_before_and_after_it_does() -> None:
    before = signal.getsignal(signal.SIGINT)
    with undisturbed():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
