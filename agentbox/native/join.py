"""Another process in a sandbox that runs: what a session notes about itself once it does, and how a shell gets in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from agentbox import owner
from agentbox.errors import EngineError
from agentbox.forwarder import Forwarder
from agentbox.identity import Identity
from agentbox.native import alone, landlock, limits, seccomp, sessions
from agentbox.native.landlock import DEVICE, Rules
from agentbox.native.layout import Layout
from agentbox.native.places import LIBRARY
from agentbox.native.session import Session, Start
from agentbox.native.sessions import Running
from agentbox.policy_model import Policy
from agentbox.resources import lib

NOTE = "inside.json"


class Inside(NamedTuple):
    """`sandbox` is the process that agentbox started, whose environment is the session's; `agent` is the agent. Without
    namespaces to enter there are the `paths` and `ports` of a domain."""

    sandbox: int
    agent: int
    paths: list[tuple[str, int]] | None = None
    ports: list[int] | None = None


def note(made: Layout, sandbox: int, agent: int) -> None:
    """Say on disk how to get in."""
    told = Inside(sandbox, agent)
    if made.rules is not None:
        ports = None if made.rules.ports is None else list(made.rules.ports)
        told = Inside(sandbox, agent, made.rules.paths, ports)
    part = made.folder / f"{NOTE}.part"
    part.write_text(json.dumps(told._asdict()))
    part.rename(made.folder / NOTE)


def find(identity: Identity, agent: str, workspace: str) -> Running | None:
    """The newest session of an agent in a folder that can be joined."""
    wanted = [each for each in sessions.running(identity) if (each.agent, each.workspace) == (agent, workspace)]
    return next((each for each in wanted if (_folder(each, identity) / NOTE).exists()), None)


def enter(session: Running, policy: Policy, identity: Identity, command: list[str]) -> int:
    """Run a command as a tool in the session's sandbox; its exit code. Raises EngineError where it cannot be."""
    folder = _folder(session, identity)
    try:
        told = Inside(**json.loads((folder / NOTE).read_text()))
        start = Start(_environment(told.sandbox))
        start.words, launcher = _inwards(start, told, folder)
    except (OSError, ValueError) as error:
        raise EngineError(session.name, f"cannot be joined: {error}", "it may have ended; try again") from None
    already = 0 if told.paths is None else alone.processes(identity.uid)
    start.words += limits.words(limits.numbers(policy.limits, already))
    start.command = [launcher, "--tool", *command]
    start.cwd = session.workspace if told.paths is not None else None
    limits.bound(start, policy.limits)
    with Session(start, None, identity) as entered, Forwarder(entered.kill) as forwarder:
        forwarder.process = entered.start()
        return entered.wait(until=session.pid)


def _inwards(start: Start, told: Inside, folder: Path) -> tuple[list[str], str]:
    """agentbox-enter with what leads into the sandbox, and the launcher's path there."""
    if told.paths is not None:
        rules = Rules([*((path, right) for path, right in told.paths)], None if told.ports is None else (*told.ports,))
        rules.add(DEVICE, alone.terminals())
        port = None if told.ports is None else told.ports[0] if told.ports else 0
        # Where the filter cannot be had nobody joins (agentbox shell).
        words = alone.confinement(start, folder, rules if landlock.abi() else None, port, filtered=True)
        return words, f"{folder}/bin/agentbox-launch"
    process = start.keep(os.pidfd_open(told.agent))
    words = [str(lib("agentbox-enter")), "--enter", str(process), "--supervise", str(os.getpid())]
    words += ["--seccomp", str(start.keep(seccomp.program("namespace")))]
    return words, f"{LIBRARY}/bin/agentbox-launch"


def _environment(pid: int) -> dict[str, str]:
    """What the sandbox was started with, and this terminal's kind."""
    lines = os.fsdecode(Path(f"/proc/{pid}/environ").read_bytes()).split("\0")
    found = dict(line.partition("=")[::2] for line in lines if line)
    return found | {name: os.environ[name] for name in ("TERM",) if name in os.environ}


def _folder(session: Running, identity: Identity) -> Path:
    return owner.run_root(identity) / session.name.rpartition("-")[2]
