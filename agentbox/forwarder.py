"""Signals of the person at the terminal, or of whoever runs agentbox, on their way to the agent."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType

from agentbox.errors import EngineError
from agentbox.interruption import ENDS

STOP_SECONDS = 10
POLL_SECONDS = 0.05


class Forwarder:
    """While it is entered, SIGINT, SIGTERM and SIGHUP go to the agent; it gets STOP_SECONDS to end after the
    latter two."""

    def __init__(self, kill: Callable[[str], bool]) -> None:
        self.kill = kill  # by a signal's name; False where there is nobody yet
        self.process: subprocess.Popen[bytes] | None = None
        self.seen = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> Forwarder:
        for number in ENDS:
            self._before[number] = signal.signal(number, self._forward)
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._give_up)
        return self

    def __exit__(self, *_: object) -> None:
        signal.alarm(0)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() itself returned

    def _forward(self, number: int, _: FrameType | None) -> None:
        self.seen = number
        if number != signal.SIGINT:
            signal.alarm(STOP_SECONDS)
        # On a terminal Compose, in our group, has had the ^C too and forwards it; twice would be an order to quit now.
        if number == signal.SIGINT and sys.stdin.isatty():
            return
        self._send(signal.Signals(number).name)

    def _give_up(self, *_: object) -> None:
        self._send("SIGKILL")

    def _send(self, name: str) -> None:
        try:
            running = self.kill(name)
        except EngineError:
            running = False
        if not running and self.process is not None:
            self.process.terminate()  # still creating the container
