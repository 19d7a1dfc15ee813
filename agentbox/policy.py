"""The one source: an agent's merged policy, and what is rendered from it.

policy_load reads the files, policy_schema describes their keys, policy_model holds the values, policy_render writes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentbox import hosts, provenance
from agentbox.errors import PolicyError
from agentbox.guard_render import render_firewall
from agentbox.policy_load import Merged, agent_names, check_agent, layers
from agentbox.policy_model import (
    Allowed,
    Command,
    Credential,
    Environment,
    Image,
    Limits,
    MaskRules,
    Native,
    Network,
    Package,
    Plugins,
    Policy,
    Port,
    StateDir,
    Tmpfs,
    Tools,
    Vault,
)
from agentbox.policy_render import render_all, render_links, render_vault
from agentbox.policy_schema import REQUIRED, to_bytes
from agentbox.workspace import TARGET

__all__ = [
    "Policy",
    "agent_names",
    "check_agent",
    "for_setup",
    "load",
    "render_all",
    "render_firewall",
    "render_links",
    "render_vault",
]


def load(agent: str, user: Path | None = None, workspace: Path | None = None) -> Policy:
    """The policy of `agent`: shipped files, then the user's (`user`, a file), then a workspace's (a folder).

    Raises UsageError for an unknown agent and PolicyError for anything wrong in a file.
    """
    return build(agent, layers(agent, user, workspace))


def build(agent: str, merged: Merged) -> Policy:
    """The policy that merged files say. Raises PolicyError for what only all of them together show."""
    for key in REQUIRED:
        if key not in merged.values:
            raise PolicyError(f"agents/{agent}.toml", f"{key} is missing")
    policy = _build(agent, merged)
    _check_whole(policy, merged)
    return policy


def for_setup(policy: Policy) -> Policy:
    """The same agent with no folder of the host, and tools that may change what its next session runs.

    What is denied stays denied. /workspace is an empty tmpfs.
    """
    vault = policy.vault._replace(read=(), write=(*policy.vault.write, *policy.vault.read))
    empty = Tmpfs(path=TARGET, size=policy.limits.memory // 4, mode="0755", executable=False, why="")
    network = policy.network._replace(allowed=(*policy.network.allowed, *policy.network.setup))
    return policy._replace(vault=vault, tmpfs=(*policy.tmpfs, empty), network=network)


def _build(agent: str, merged: Merged) -> Policy:
    def value(key: str, default: Any = "") -> Any:
        return merged.values.get(key, default)

    def items(key: str) -> tuple[str, ...]:
        return tuple(merged.values.get(key, ()))

    def rows(name: str) -> list[dict[str, Any]]:
        return list(merged.tables.get(name, {}).values())

    return Policy(
        agent=agent,
        title=value("title"),
        homepage=value("homepage"),
        image=Image(value("image.base"), items("image.packages"), value("image.ca_bundle")),
        limits=Limits(
            value("limits.pids"), to_bytes(value("limits.memory")), float(value("limits.cpus")), value("limits.nofile")
        ),
        tmpfs=tuple(Tmpfs(r["path"], to_bytes(r["size"]), r["mode"], r["exec"], r["why"]) for r in rows("tmpfs")),
        links=items("launch.links"),
        package=Package(
            value("package.manager"), value("package.name"), value("package.version"), items("package.extras")
        ),
        command=Command(items("command.argv"), value("command.exe"), value("command.script"), items("command.version")),
        native=Native(value("native.library", {}), value("native.etc", {}), value("native.programs", {})),
        plugins=Plugins(value("plugins.own"), value("plugins.guard"), value("plugins.variable")),
        state=tuple(StateDir(r["host"], r["path"], r["link"]) for r in rows("state")),
        vault=Vault(value("vault.tree"), items("vault.deny"), items("vault.read"), items("vault.write")),
        guard=items("guard.deny"),
        tools=Tools(items("tools.read"), items("tools.spawn")),
        frames=items("guard.frames"),
        mask=MaskRules(items("mask.globs"), items("mask.except"), items("mask.skip"), value("mask.entries")),
        hooks=value("workspace.hooks"),
        engine=value("engine"),
        use_installed=value("use_installed", False),
        env=Environment(
            items("env.pass"), items("env.secret"), items("env.hide"), items("env.keep"), dict(value("env.set", {}))
        ),
        network=_network(merged),
        credentials=tuple(
            Credential(
                r["name"],
                tuple(r["hosts"]),
                tuple(r["headers"]),
                tuple(r["query"]),
                r["prefix"],
                r["file"],
                r["keyring"],
            )
            for r in rows("credential")
        ),
        ports=tuple(Port(r["name"], r["host"], r["container"]) for r in rows("port")),
        origin=merged.origin,
    )


def _network(merged: Merged) -> Network:
    def allowed(key: str, *, private: bool = False) -> tuple[Allowed, ...]:
        sources = merged.items.get(key, {})
        return tuple(
            Allowed(hosts.parse(item, private=private), sources.get(item, "")) for item in merged.values.get(key, ())
        )

    return Network(
        mode=merged.values["network.mode"],
        allowed=(*allowed("network.hosts"), *allowed("network.private", private=True)),
        setup=allowed("network.setup"),
        addresses=dict(merged.values.get("network.addresses", {})),
    )


def _check_whole(policy: Policy, merged: Merged) -> None:
    """What no single key can tell."""

    def wrong(key: str, cause: str, entry: str = "") -> PolicyError:
        at = provenance.of_row(merged, policy.agent, key, entry) if entry else None
        at = at or provenance.of_key(merged, policy.agent, key)
        return PolicyError(at.file, f"{key} {cause}", line=at.line)

    if not policy.command.argv:
        raise wrong("command.argv", "must not be empty")
    tree = policy.vault.tree.rstrip("/") + "/"
    for state in policy.state:
        if not state.path.startswith(tree):
            raise wrong("state", f"path {state.path} must be below {policy.vault.tree}", state.path)
    for place in policy.tmpfs:
        if place.executable and not place.why:
            raise wrong("tmpfs", f'{place.path} has exec = true: say why with why = "…"', place.path)
        if place.path == "/" or (policy.vault.tree + "/").startswith(place.path + "/"):
            raise wrong("tmpfs", f"{place.path} would hide {policy.vault.tree}", place.path)
