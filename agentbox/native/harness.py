"""The installed agent, as a native sandbox sees it: what is started, and what must be readable."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agentbox import policy as policies
from agentbox.errors import EngineError, InstallError, UsageError
from agentbox.harness import Installed, installed_on_path
from agentbox.identity import Identity
from agentbox.native.places import LINKS, SYSTEM
from agentbox.policy_model import Policy
from agentbox.workspace import Mount


def from_path(policy: Policy, identity: Identity, say: Callable[[str], None]) -> Installed:
    """The one that the user's shell would start, and a line about it. Raises InstallError where none can be used."""
    found = installed_on_path(policy)
    for path in (found.root, *found.needs):
        if identity.home.resolve().is_relative_to(path.resolve()):
            hint = "install it in a folder of its own, or leave --use-installed out"
            raise InstallError(found.argv[-1], f"{path} would be readable with it, and your home is there", hint)
    tested = policies.load(policy.agent).package.version
    version = found.version or "of an unknown version"
    how = "has not checked its files" if found.version == tested else f"was tested with {tested}"
    say(f"{policy.agent} {version}, as installed here ({found.argv[-1]}): agentbox {how}")
    return found


def check_apart(installed: Installed, mounts: list[Mount]) -> None:
    """Raise UsageError where a tool could change the agent, which nothing confines: its next start would run that."""
    parts = [path.resolve() for path in (installed.root, *installed.needs, *map(Path, installed.argv))]
    for source in [mount.source for mount in mounts if not mount.read_only]:
        if found := [each for each in parts if each.is_relative_to(source) or source.is_relative_to(each)]:
            hint = "install it elsewhere, or leave --use-installed out"
            raise UsageError(str(found[0]), "is the agent's own, and lies in a folder that its tools may write", hint)


# A folder of plugins, and the guard among them.
PLUGINS, GUARD = "plugins", "agentbox-guard"

# What Node compiled beforehand, in the installed agent and in the library.
COMPILED = "compile-cache"


def compiled(policy: Policy, installed: Installed) -> Path | None:
    """Where that is, or is to be; None for an agent that no Node runs."""
    of_node = policy.package.manager == "npm" and policy.command.script
    return installed.root / COMPILED if of_node else None


def known_by(policy: Policy, installed: Installed, launcher: str) -> Policy:
    """The same policy, for an agent that is started as `installed` says."""
    exe, *rest = installed.argv
    command = policy.command._replace(exe=os.path.realpath(exe), script=os.path.realpath(rest[0]) if rest else "")
    return policy._replace(command=command, links=(launcher, *LINKS))


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
    """A script by the agent's own name, which /entrypoint.sh becomes; on PATH it is containers/base/second.sh."""
    return f'#!/bin/sh\nexec {shlex.join(installed.argv)} "$@"\n'


def plugins(policy: Policy, installed: Installed, folder: Path, library: str) -> bool:
    """Make PLUGINS in `folder`, for an agent that needs it: links to its own plugins, and the guard of `library` as one
    more. Raises EngineError: without it the agent would start, and nothing would guard its tools."""
    wanted = policy.plugins
    if not wanted.own:
        return False
    own = next(installed.root.glob(wanted.own), None)
    if own is None:
        raise EngineError(policy.agent, f"{installed.root} has no folder of plugins: its tools cannot be guarded")
    made = folder / PLUGINS
    made.mkdir(0o755)
    for path in own.iterdir():
        (made / path.name).symlink_to(path)
    (made / GUARD).symlink_to(f"{library}/{wanted.guard}")
    return True


def variables(policy: Policy, library: str) -> dict[str, str]:
    """What tells an agent of its guard, where that is not in what is installed."""
    wanted = policy.plugins
    return {wanted.variable: f"{library}/{PLUGINS}"} if wanted.variable else {}
