"""The native sessions that run: each has a record in its run directory."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from typing import NamedTuple

from agentbox import owner
from agentbox.forwarder import POLL_SECONDS, STOP_SECONDS
from agentbox.identity import Identity
from agentbox.native.layout import RECORD


class Running(NamedTuple):
    """One session; `pid` is the agentbox that waits for it."""

    name: str
    agent: str
    workspace: str
    binds: list[str]
    pid: int
    started: int


def running(identity: Identity) -> list[Running]:
    """The newest first."""
    found = []
    try:
        folders = list(owner.run_root(identity).iterdir())
    except OSError:
        return []
    for folder in folders:
        try:
            if not owner.gone((folder / "owner").read_text()):
                found.append(Running(**json.loads((folder / RECORD).read_text())))
        except (OSError, ValueError, TypeError):
            continue  # not a native one, or one that starts or ends at this moment
    return sorted(found, key=lambda each: each.started, reverse=True)


def stop(session: Running) -> None:
    """End it as `docker stop` would: agentbox hands SIGTERM on, kills the agent where that takes too long, and cleans
    up, for which it has as long again."""
    until = time.monotonic() + 2 * STOP_SECONDS
    with contextlib.suppress(ProcessLookupError):  # it has ended
        os.kill(session.pid, signal.SIGTERM)
        while time.monotonic() < until:
            os.kill(session.pid, 0)
            time.sleep(POLL_SECONDS)
        os.kill(session.pid, signal.SIGKILL)
