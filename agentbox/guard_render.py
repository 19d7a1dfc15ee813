"""What keeps an agent's own, in-process tools from protected files, made from a merged policy (docs/internals.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from agentbox.audit_place import PLACE
from agentbox.policy_model import Policy

LIBRARY = "/usr/local/lib/agentbox"
HOOK = {
    "type": "command",
    "command": "/usr/bin/python3",
    "args": ["-I", "-S", f"{LIBRARY}/guard/claude_hook.py"],
    "timeout": 10,
    "onFailure": "block",
}


def render_firewall(policy: Policy) -> str:
    """What all the guards read: denied names and paths, paths that tools may only read, and which tools only read."""
    denied = tuple(dict.fromkeys((*policy.vault.deny, *policy.guard)))
    return _json(
        {
            "version": 2,
            "agent": policy.agent,
            "audit": PLACE,
            "tree": policy.vault.tree,
            "deny": [item for item in denied if not item.startswith("/")],
            "paths": [item for item in denied if item.startswith("/")],
            "read": list(policy.vault.read),
            "write": list(policy.vault.write),
            "frames": list(policy.frames),
            "readers": list(policy.tools.read),
            "spawners": list(policy.tools.spawn),
        }
    )


def render_claude(policy: Policy) -> str:
    """Claude Code's managed settings, which hold whatever mode it runs in.

    Deny rules for what they can express; they also hold for an input that another hook has rewritten. The hook sees
    what they cannot: hard links, tools that they do not know. It is started without a shell, and when it fails, so does
    the call.
    """
    spawning = "|".join(policy.tools.spawn)
    before = {"matcher": f"^(?!(?:{spawning})$)" if spawning else "", "hooks": [HOOK]}
    return _json({"permissions": {"deny": list(_claude_rules(policy))}, "hooks": {"PreToolUse": [before]}})


def _claude_rules(policy: Policy) -> Iterator[str]:
    """The patterns are gitignore's; a leading // makes one absolute (https://code.claude.com/docs/en/permissions).

    policy.guard is the hook's alone: a rule would hold for `cat .env` in Bash too, which is a process and may.
    """
    for item in (*policy.vault.deny, "/proc/**/environ", "/proc/**/mem"):
        place = item if item.startswith("/") else f"/**/{item}"
        yield from (f"{tool}(/{place}{below})" for tool in ("Read", "Edit") for below in ("", "/**"))
    yield from (f"Edit(/{path}{below})" for path in policy.vault.read for below in ("", "/**"))


def render_opencode(policy: Policy) -> str:
    """opencode's managed configuration, which it merges last.

    The plugin takes back the rule that denies every tool: where it is not loaded, no tool runs.
    """
    del policy  # the plugin reads firewall.json
    return _json({"plugin": [f"file://{LIBRARY}/opencode-guard/index.js"], "permission": {"**": "deny"}})


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"
