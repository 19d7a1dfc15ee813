"""The configuration files: readable, and what they take away from the protection that is shipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentbox import allowed, config_check, policy, provenance
from agentbox.doctor.finding import ERROR, OK, WARNING, Finding, World
from agentbox.errors import PolicyError, UsageError
from agentbox.identity import Identity
from agentbox.policy_load import WORKSPACE_FILE, Merged, layers
from agentbox.policy_schema import MODES

# Lists of what is protected: an item less is a protection less.
GUARDS = ("vault.deny", "vault.read", "guard.deny", "mask.globs", "env.hide")
# Lists of exceptions from them: an item more is a protection less.
EXCEPTIONS = ("vault.write", "env.keep", "mask.except", "mask.skip")


def check(world: World) -> Iterator[Finding]:
    if world.identity is None:
        return
    who = world.identity
    user, folder = who.config_file, Path(world.environ.get("WORKDIR") or ".").absolute()
    broken = list(_broken("configuration.user", user, who))
    yield from broken
    if not broken:
        shown = f"{user} is in order" if user.exists() else f"no {user}: what agentbox ships is in effect"
        yield Finding("configuration.user", OK, shown)
        yield from _broken("configuration.project", folder / WORKSPACE_FILE, who)
        for agent in policy.agent_names():
            yield from _weakened(agent, who)
    try:
        allowed.entries(allowed.path(who))
    except PolicyError as error:
        fix = f"correct it, or remove {allowed.path(who)}"
        yield Finding("configuration.allowed", ERROR, str(error), "no agent starts", error.hint or fix)


def _broken(name: str, file: Path, identity: Identity) -> Iterator[Finding]:
    if not file.exists():
        return
    try:
        found = config_check.problems(file, identity)
    except (UsageError, PolicyError) as error:
        yield Finding(name, ERROR, str(error), "no agent starts", error.hint)
        return
    for problem in found:
        yield Finding(name, ERROR, str(problem), "no agent starts", problem.hint or f"edit {file}")


def _weakened(agent: str, identity: Identity) -> Iterator[Finding]:
    """What the user's file has taken back. That is allowed, but should not be forgotten."""
    try:
        shipped, merged = layers(agent, None, None), layers(agent, identity.config_file, None)
    except PolicyError:
        return  # allowed.toml, which is reported by itself
    yield from _lists(agent, shipped, merged)
    yield from _network(agent, shipped, merged)
    for name in merged.values.get("env.set", {}):
        if name in {*merged.values.get("env.hide", []), *merged.values.get("env.secret", [])}:
            yield Finding(
                "configuration.secret",
                WARNING,
                f"{provenance.of_key(merged, agent, 'env.set', name)}: {agent}: env.set holds {name}",
                "a key that is set there is inside the container, not with the broker",
                f"export {name}, or name a file in [[credential]]",
            )


def _lists(agent: str, shipped: Merged, merged: Merged) -> Iterator[Finding]:
    why = "tools may do there what the shipped configuration forbids"
    for key in (*GUARDS, *EXCEPTIONS):
        before, now = shipped.values.get(key, []), merged.values.get(key, [])
        if gone := [item for item in before if item not in now] if key in GUARDS else []:
            what = f"{provenance.of_key(merged, agent, key)}: {agent}: {key} lacks {', '.join(gone)}"
            yield Finding("configuration.weakened", WARNING, what, why, f'take "-{gone[0]}" out of {key}')
        if more := [item for item in now if item not in before] if key in EXCEPTIONS else []:
            what = f"{provenance.of_item(merged, agent, key, more[0])}: {agent}: {key} has {', '.join(more)}"
            yield Finding("configuration.weakened", WARNING, what, why, f'take "{more[0]}" out of {key}')


def _network(agent: str, shipped: Merged, merged: Merged) -> Iterator[Finding]:
    mode = merged.values["network.mode"]
    if MODES.index(mode) < MODES.index(shipped.values["network.mode"]):
        what = f'{provenance.of_key(merged, agent, "network.mode")}: {agent}: network.mode is "{mode}"'
        why = "tools reach every host, and keys of the environment are inside the container"
        yield Finding("configuration.weakened", WARNING, what, why, 'set network.mode = "allowlist"')
    if "*" in merged.values.get("network.hosts", []):
        what = f'{provenance.of_item(merged, agent, "network.hosts", "*")}: {agent}: network.hosts has "*"'
        yield Finding("configuration.weakened", WARNING, what, "tools reach every public host", "name the hosts")
