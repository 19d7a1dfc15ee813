"""The installed agent, as a native sandbox sees it: what is started, and what must be readable."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

from agentbox.errors import EngineError
from agentbox.harness import Installed
from agentbox.native.places import LINKS, SYSTEM
from agentbox.policy_model import Policy

# Hermes's plugins, and the guard among them, as the image has it.
PLUGINS, GUARD = "hermes-plugins", "agentbox-guard"


def known_by(policy: Policy, installed: Installed, launcher: str) -> Policy:
    """The same policy, for an agent that is started as `installed` says."""
    exe, *rest = installed.argv
    interpreted = bool(policy.command.script) and bool(rest)
    command = replace(
        policy.command, exe=os.path.realpath(exe), script=os.path.realpath(rest[0]) if interpreted else ""
    )
    return replace(policy, command=command, links=(launcher, *LINKS))


def settled(installed: Installed) -> Installed:
    """The same by its real path: inside, no link of the host's leads there."""
    root, real = str(installed.root), os.path.realpath(installed.root)
    argv = tuple(real + word[len(root) :] if word.startswith(f"{root}/") else word for word in installed.argv)
    return replace(installed, argv=argv, root=Path(real))


def readable(installed: Installed) -> list[str]:
    """The folders of the host in which the agent and its interpreter lie, where they are not the system's."""
    found = [os.path.realpath(path) for path in (installed.root, *installed.needs)]
    return [path for path in dict.fromkeys(found) if not f"{path}/".startswith(tuple(f"{top}/" for top in SYSTEM))]


def starter(installed: Installed) -> str:
    """A script by the agent's own name: what /entrypoint.sh finds on PATH."""
    return f'#!/bin/sh\nexec {shlex.join(installed.argv)} "$@"\n'


def plugins(installed: Installed, folder: Path, guard: str) -> None:
    """Make `folder`: links to Hermes's own plugins, and `guard` as one of them. Raises EngineError: without it Hermes
    would start, and nothing would guard its tools."""
    own = next(installed.root.glob("lib/python3*/site-packages/plugins"), None)
    if own is None:
        raise EngineError("hermes", f"{installed.root} has no folder of plugins: its tools cannot be guarded")
    folder.mkdir(0o755)
    for path in own.iterdir():
        (folder / path.name).symlink_to(path)
    (folder / GUARD).symlink_to(guard)


def variables(policy: Policy, library: str) -> dict[str, str]:
    """What tells an agent of its guard, where that is not in what is installed."""
    return {"HERMES_BUNDLED_PLUGINS": f"{library}/{PLUGINS}"} if policy.agent == "hermes" else {}
