"""A sandbox that is running: its start, its signals, its broker, its end."""

from __future__ import annotations

import array
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

from agentbox.errors import EngineError
from agentbox.forwarder import STOP_SECONDS
from agentbox.identity import Identity
from agentbox.interruption import handled
from agentbox.native import kept
from agentbox.native.broker import Broker, as_user

# A broker takes half a second to start. An agent that ends sooner than this without asking for one gets none.
PATIENCE = 1.0
# One that ends is started again; it is gone for good where this many in a row ended before they had run for so long.
TRIES, SETTLED = 3, 10.0


@dataclass(slots=True)
class Start:
    """What is started: `words` up to and with agentbox-enter's options, and `command`, which that becomes. `keeps` are
    descriptors for it; `listener` is the broker's socket where it is there already."""

    environ: dict[str, str]
    words: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    cwd: str | None = None
    keeps: list[int] = field(default_factory=list)
    listener: socket.socket | None = None

    def keep(self, fd: int) -> int:
        self.keeps.append(fd)
        return fd


class Session:
    """A sandbox and its broker, from start to end."""

    def __init__(self, start: Start, broker: Broker | None, identity: Identity) -> None:
        self.plan, self.broker, self.identity = start, broker, identity
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.listener = start.listener
        self.agent = -1  # a pidfd of the agent itself
        self.early: list[str] = []  # signals that came before it was known
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()  # a supervisor ends all that it has; bwrap dies of it, and with it its namespace
            self.process.wait()
        if self.broker is not None:
            self.broker.stop()
        for each in (self.ours, self.theirs, self.listener):
            if each is not None:
                each.close()
        if self.agent >= 0:
            os.close(self.agent)

    def start(self, output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """Start the sandbox with everything that it is handed. With `output` it has nothing else of our terminal's."""
        plan = self.plan
        control = self.theirs.fileno()
        words = [*plan.words, "--control", str(control), "--", *plan.command]
        try:
            passed = [*plan.keeps, control]
            start = _spawn if output is None else partial(_beside, output=output)
            self.process = start(words, plan, passed, self.identity)
        finally:
            self.theirs.close()
            for fd in plan.keeps:
                os.close(fd)
        return self.process

    def kill(self, name: str) -> bool:
        """Send the agent a signal, as soon as it is there; False where one that ends it cannot wait for that."""
        if self.agent < 0:
            self.early.append(name)
            return name != "SIGKILL"
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.agent, signal.Signals[name])
        return True

    def wait(self, started: Callable[[int, int], None] | None = None, until: int = 0) -> int:
        """Until the sandbox ends, or the process `until`, with which it ends too. Calls `started` with its pid and the
        agent's. Raises EngineError where there was never an agent."""
        assert self.process is not None
        agent, lost = self._hear(), ""
        if agent and started:
            started(self.process.pid, agent)
        if self.listener is not None and self.broker is not None:
            ended = os.pidfd_open(self.process.pid)
            _readable(ended, self.listener.fileno(), timeout=PATIENCE)
            if not _readable(ended, timeout=0):
                lost = self._attend(self.broker, self.listener, ended)
            os.close(ended)
        if until:
            self._outlive(until)
        code = self.process.wait()
        if not agent:
            program = self.plan.words[0].rpartition("/")[2]
            kept.forget()  # the next start asks again what can be used
            raise EngineError("sandbox", f"did not start: {program} ended with {code}, see its message above")
        if lost and self.broker is not None:
            cause = f"is gone ({lost}), and nothing gets out without it: the agent was ended"
            hint = f"its log is {self.broker.log}; where it ends at once, `agentbox purge` has it installed anew"
            raise EngineError("broker", cause, hint)
        return code if code >= 0 else 128 - code

    def _attend(self, broker: Broker, listener: socket.socket, ended: int) -> str:
        """Keep a broker on `listener` until the sandbox has `ended`. Without one, the agent would ask on and on:
        where it is gone for good, that is ended too. Returns how the broker went, else nothing."""
        tries, code = 0, 0
        while tries < TRIES:
            began = time.monotonic()
            process = broker.start(listener)
            gone = os.pidfd_open(process.pid)
            _readable(ended, gone, timeout=-1)
            os.close(gone)
            if _readable(ended, timeout=0):
                return ""
            code = process.wait()
            tries = 1 if time.monotonic() - began > SETTLED else tries + 1
        self._end()
        return f"ended with {code}"

    def _end(self) -> None:
        """End the agent, which may put its things in order first."""
        assert self.process is not None
        self.kill("SIGTERM")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
            return
        self.process.terminate()

    def _outlive(self, other: int) -> None:
        """End the sandbox where another process ends first."""
        assert self.process is not None
        try:
            fds = [os.pidfd_open(self.process.pid), os.pidfd_open(other)]
        except ProcessLookupError:
            self.process.terminate()
            return
        if not _readable(*fds, timeout=-1) or not _readable(fds[0], timeout=0):
            self.process.terminate()
        for fd in fds:
            os.close(fd)

    def _hear(self) -> int:
        """What agentbox-enter says when it is about to become the agent: its pid (else 0), the broker's socket."""
        agent = 0
        size = socket.CMSG_SPACE(4) + socket.CMSG_SPACE(12)
        byte, extra, *_ = self.ours.recvmsg(1, size)
        for level, kind, data in extra if byte else ():
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self.listener = socket.socket(fileno=array.array("i", data[:4])[0])
            elif level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                agent = array.array("i", data[:4])[0]
                with contextlib.suppress(ProcessLookupError):  # it has ended by now
                    self.agent = os.pidfd_open(agent)
        for name in self.early if self.agent >= 0 else ():
            self.kill(name)
        return agent


def _spawn(words: list[str], plan: Start, passed: list[int], identity: Identity) -> subprocess.Popen[bytes]:
    """Start the sandbox. On a terminal it stays in our process group, so that it may read; a ^C there reaches the agent
    from the terminal, and nobody between it and us may die of it. agentbox-enter takes that back."""
    group = None if sys.stdin.isatty() else 0
    with handled((signal.SIGINT, signal.SIGQUIT), signal.SIG_IGN):
        return _popen(words, plan, passed, identity, {"process_group": group})


def _beside(
    words: list[str], plan: Start, passed: list[int], identity: Identity, output: IO[bytes]
) -> subprocess.Popen[bytes]:
    """The same away from the terminal."""
    group: dict[str, Any] = {"process_group": 0, "stdin": subprocess.DEVNULL}
    return _popen(words, plan, passed, identity, {**group, "stdout": output, "stderr": subprocess.STDOUT})


def _popen(
    words: list[str], plan: Start, passed: list[int], identity: Identity, options: dict[str, Any]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(words, env=plan.environ, cwd=plan.cwd, pass_fds=passed, **options, **as_user(identity))
    except OSError as error:
        raise EngineError(words[0], error.strerror or str(error)) from None


def _readable(*fds: int, timeout: float) -> bool:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return bool(poll.poll(timeout * 1000 if timeout >= 0 else None))
