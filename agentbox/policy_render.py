"""The files of /etc/agentbox, made from a merged policy (formats: docs/internals.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from agentbox.errors import AgentboxError
from agentbox.policy_model import Policy

MAX_LINE = 4096


def render_vault(policy: Policy) -> str:
    """The vault's policy file. Raises AgentboxError where a value cannot stand in it."""
    lines = ["agentbox-vault 1", *(f"{keyword} {value}" for keyword, value in _vault_lines(policy)), "end"]
    for line in lines:
        if "\n" in line or "\0" in line or len(line.encode()) >= MAX_LINE:
            raise AgentboxError("vault policy", f"cannot hold the line {line[:60]!r}")
    return "\n".join(lines) + "\n"


def _vault_lines(policy: Policy) -> Iterator[tuple[str, str]]:
    yield "agent", policy.agent
    yield "exe", policy.command.exe
    if policy.command.script:
        yield "script", policy.command.script
    for keyword, values in (
        ("link", policy.links),
        ("vault", (policy.vault.tree,)),
        ("deny", policy.vault.deny),
        ("read", policy.vault.read),
        ("write", policy.vault.write),
        ("hide", tuple(dict.fromkeys((*policy.env.secret, *policy.env.hide)))),
        ("keep", policy.env.keep),
    ):
        for value in values:
            yield keyword, value


def render_links(policy: Policy) -> str:
    """Lines of `link TAB target`: symlinks below the container's home into the agent's state."""
    return "".join(f"{state.link}\t{state.path}\n" for state in policy.state)


def render_firewall(policy: Policy) -> str:
    """What the in-process guards keep from tools: names and patterns, absolute paths with their right."""
    denied = list(dict.fromkeys((*policy.vault.deny, *policy.guard)))
    rendered = {
        "version": 2,
        "agent": policy.agent,
        "tree": policy.vault.tree,
        "deny": [item for item in denied if not item.startswith("/")],
        "paths": [item for item in denied if item.startswith("/")],
        "read": policy.vault.read,
        "write": policy.vault.write,
        "frames": policy.frames,
    }
    return json.dumps(rendered, indent=2) + "\n"


def render_claude(policy: Policy) -> str:
    """Claude Code's managed settings: its own tools refuse what the vault denies, whatever mode it runs in.

    The leading // is its way to write an absolute path (https://code.claude.com/docs/en/permissions).
    """
    paths = [item for item in policy.vault.deny if item.startswith("/")]
    deny = [f"{tool}(/{path}{below})" for tool in ("Read", "Edit") for path in paths for below in ("", "/**")]
    return json.dumps({"permissions": {"deny": deny}}, indent=2) + "\n"


RENDERERS: dict[str, Callable[[Policy], str]] = {
    "vault.policy": render_vault,
    "links": render_links,
    "firewall.json": render_firewall,
}
# What one agent alone reads.
OWN_RENDERERS: dict[str, dict[str, Callable[[Policy], str]]] = {
    "claude": {"managed-settings.json": render_claude},
}


def render_all(policy: Policy) -> dict[str, str]:
    """Every file of /etc/agentbox by its name."""
    renderers = RENDERERS | OWN_RENDERERS.get(policy.agent, {})
    return {name: render(policy) for name, render in renderers.items()}


def check_with_core(text: str) -> None:
    """Let the C parser, where this installation has it, judge `text`; raises what it raises."""
    from agentbox import vault

    if vault.available():
        vault.Policy(text.encode())
