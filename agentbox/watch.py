"""Keeps an eye on a run's broker. One that crashed is started again by the engine, which the agents' retries bridge;
one that is gone for good would leave them retrying, Claude Code for minutes, without a word of why."""

from __future__ import annotations

import threading
import time

from agentbox.engine import BROKER, RUN, Engine
from agentbox.errors import EngineError

COMING, GONE = ("created", "restarting"), ("exited", "dead")
GLANCE = 0.5  # seconds


class Watch(threading.Thread):
    """While it is entered, the loss of the broker ends the container called `name`; `lost` then says how it went."""

    def __init__(self, engine: Engine, name: str, run_id: str, patience: float) -> None:
        super().__init__(name="watch", daemon=True)
        self.engine, self.container, self.patience = engine, name, patience
        self.labels = (BROKER, f"{RUN}={run_id}")
        self.lost = ""
        self._over = threading.Event()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def run(self) -> None:
        try:
            how = self._until_it_is_gone()
            if how and not self._over.is_set() and self.engine.kill(self.container, "SIGTERM"):
                self.lost = how
                self._insist()
        except EngineError:
            return  # the engine is gone, and the agent with it

    def _until_it_is_gone(self) -> str:
        seen = False
        while not self._over.is_set():
            found = self.engine.containers(*self.labels)
            if found and found[0].state in GONE:
                return found[0].status
            if seen and not found:
                return "removed"
            seen = bool(found)
            if seen and found[0].state not in COMING:
                self.engine.wait_for_exit(found[0].name)
            self._over.wait(GLANCE)
        return ""

    def _insist(self) -> None:
        end = time.monotonic() + self.patience
        while time.monotonic() < end and not self._over.wait(GLANCE):
            continue
        if not self._over.is_set():
            self.engine.kill(self.container, "SIGKILL")
