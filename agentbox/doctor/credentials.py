"""Which credentials each agent has, by name and place. Their values are not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from agentbox.doctor.finding import OK, Finding, World
from agentbox.identity import Identity
from agentbox.policy_model import Policy


def check(world: World) -> Iterator[Finding]:
    if world.identity is None:
        return
    for policy in world.policies:
        found = [*_from_environment(policy, world.environ, world.identity), *_in_state(policy, world.identity)]
        text = f"{policy.agent}: present: {' / '.join(found)}" if found else f"{policy.agent}: none present"
        yield Finding(f"credentials.{policy.agent}", OK, text)


def _from_environment(policy: Policy, environ: Mapping[str, str], identity: Identity) -> Iterator[str]:
    for each in policy.credentials:
        if each.name not in policy.env.secret:
            continue
        if environ.get(each.name):
            yield f"env {each.name}"
        elif each.file:
            path = identity.home / each.file[2:] if each.file.startswith("~/") else Path(each.file)
            yield f"file {each.file}{'' if path.is_file() else ' (missing)'}"
        elif each.keyring:
            yield f"keyring {each.keyring} (not looked into)"


def _in_state(policy: Policy, identity: Identity) -> Iterator[str]:
    """Protected files of the agent's state that hold something."""
    for path in protected(policy, identity):
        try:
            if path.is_file() and path.stat().st_size:
                yield f"file ~/{path.relative_to(identity.home)}"
        except OSError:
            continue


def protected(policy: Policy, identity: Identity) -> Iterator[Path]:
    """Where on the host the paths lie that tools may not touch."""
    for state in policy.state:
        inside = state.path + "/"
        for denied in policy.vault.deny:
            if denied.startswith(inside):
                yield identity.home / state.host / denied.removeprefix(inside)
