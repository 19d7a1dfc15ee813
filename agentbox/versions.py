"""Which version of an agent to install: pinned in its file, set in the user's, or remembered from `agentbox update`."""

from __future__ import annotations

import json
from pathlib import Path

from agentbox.errors import AgentboxError, UsageError
from agentbox.identity import Identity
from agentbox.policy_load import check_agent
from agentbox.policy_model import Policy
from agentbox.policy_schema import version as check_version
from agentbox.state import locked, make_dir, write_file

FILE = "versions.json"
PINNED = "pinned"


def remembered(identity: Identity) -> dict[str, str]:
    """Versions by agent. A file that cannot be read or makes no sense counts as empty."""
    try:
        found = json.loads((identity.own_state / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in found.items() if not check_version(v)} if isinstance(found, dict) else {}


def remember(identity: Identity, changes: dict[str, str]) -> None:
    """Keep `changes` for later builds; the version `pinned` forgets an agent's."""
    folder = make_dir(identity.own_state, identity)
    with locked(folder):
        found = {**remembered(identity), **changes}
        kept = {agent: version for agent, version in sorted(found.items()) if version != PINNED}
        write_file(folder / FILE, (json.dumps(kept, indent=2) + "\n").encode(), identity)


def apply(policy: Policy, identity: Identity, asked: dict[str, str]) -> Policy:
    """`policy` with the version in effect: asked for now, else the user's file, else remembered, else pinned. Raises
    UsageError as check_open does."""
    if policy.agent in asked:
        check_open(policy)
    stored = {} if set_by(policy) or PINNED in asked.get(policy.agent, "") else remembered(identity)
    version = asked.get(policy.agent) or stored.get(policy.agent) or policy.package.version
    if version in (PINNED, policy.package.version):
        return policy
    return policy._replace(package=policy.package._replace(version=version))


def check_open(policy: Policy) -> None:
    """Raise UsageError where a file of the user's sets the version: one that is remembered would never be used."""
    if file := set_by(policy):
        cause = f"package.version sets the version of {policy.agent}, and no other would be used from now on"
        raise UsageError(file, cause, f"change {policy.package.version} there, or take the line out")


def set_by(policy: Policy) -> str:
    """The user's file that sets the version; empty where it is agentbox's own."""
    file = policy.origin["package.version"][-1]
    return "" if file.startswith("agents/") else file


def parse_options(options: tuple[str, ...]) -> dict[str, str]:
    """`pi=1.2.3` options as a table. Raises UsageError."""
    found = {}
    for option in options:
        agent, equals, version = option.partition("=")
        if equals:
            check_agent(agent)
        if not equals or (check_version(version) and version != PINNED):
            raise UsageError(f"--version-of {option}", "is not AGENT=VERSION", "for example --version-of pi=0.87.1")
        found[agent] = version
    return found


def newest(policy: Policy, identity: Identity, ca_bundle: Path | None) -> str:
    """The newest released version in the package's registry. Raises AgentboxError when that cannot be told."""
    from agentbox import harness

    found = harness.newest(policy, ca_bundle, identity)
    if check_version(found):
        raise AgentboxError(policy.package.name, f"its registry names no usable version: {found!r}")
    return found
