"""The files of /etc/agentbox, made from a merged policy (formats: docs/internals.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agentbox.audit_place import PLACE
from agentbox.errors import AgentboxError
from agentbox.guard_render import render_claude, render_firewall, render_opencode
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
    yield "audit", PLACE
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


RENDERERS: dict[str, Callable[[Policy], str]] = {
    "vault.policy": render_vault,
    "links": render_links,
    "firewall.json": render_firewall,
}
# What one agent alone reads.
OWN_RENDERERS: dict[str, dict[str, Callable[[Policy], str]]] = {
    "claude": {"managed-settings.json": render_claude},
    "opencode": {"opencode.json": render_opencode},
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
