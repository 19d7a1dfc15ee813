"""Whether a file tool of the agent may touch a path: what Hermes's plugin and Claude Code's hook ask.

A guard-rail with good messages, for tools that run inside the agent's process. What a tool starts as a process is the
kernel vault's business. js/ says the same in JavaScript, for pi and opencode; both read /etc/agentbox/firewall.json.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Iterator

# Claude Code starts this before each tool call: importing typing and urllib would cost it a quarter of its time.
Json = dict[str, object]
VERSION = 2
POLICY_FILE = "/etc/agentbox/firewall.json"
# Arguments that name files, by what tools call them. Others (a search text, a commit message) may hold ".env".
PATH_ARGUMENT = re.compile(r"path|file|dir|folder|cwd|source|dest|target|root|uri|url", re.IGNORECASE)
# Those that are a path and nothing else, however long and with whatever line ends in it: `x\n/../key` names key.
PATH_ALONE = re.compile(r"(?:path|file|file_?name|dir|directory|folder|cwd|root|uri|url)s?$", re.IGNORECASE)
ROOTED = re.compile(r"/|~|file:")
# The two notations of patches: the first line of a file's part, and where it moves to.
PATCHED = re.compile(
    r"^\s*(?:\*\*\*\s*(?:(?:Add|Update|Delete) File|Move to):|(?:---|\+\+\+|rename to|copy to)\s)\s*(.+?)\s*$",
    re.MULTILINE,
)
PROCESS_MEMORY = re.compile(r"/proc/(?:\d+|self|thread-self)/(?:.*/)?(?:environ|mem)")
MAX_DEPTH = 5
LONGEST = 4096
FULL = 1 << 20  # bytes of the records; as the vault's, which writes to the same file
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class PolicyError(Exception):
    """The policy file is missing or malformed."""


class Guard:
    """The rules of one policy file."""

    def __init__(self, policy: Json) -> None:
        if policy.get("version") != VERSION:
            raise PolicyError(f"version {policy.get('version')!r} where {VERSION} is known")
        lists = {key: _list(policy, key) for key in ("deny", "paths", "read", "write", "readers", "spawners")}
        if not lists["deny"] + lists["paths"]:
            raise PolicyError("it protects nothing")
        self.agent = policy.get("agent", "")
        self.audit = policy.get("audit")
        self.names = [(entry, [_component(part) for part in entry.split("/") if part]) for entry in lists["deny"]]
        self.rights = {path: right for right, key in RIGHTS.items() for path in lists[key]}
        self.rights |= {os.path.realpath(path): right for path, right in self.rights.items()}
        self.readers = frozenset(lists["readers"])
        self.spawners = frozenset(lists["spawners"])

    def refusal(self, tool: str, arguments: Json, cwd: str) -> str | None:
        """Why the call of `tool` is refused, in one sentence for the model; None where it may run."""
        if tool in self.spawners:
            return None
        for path in _paths(arguments):
            if rule := self.rule(path, cwd, writing=tool not in self.readers):
                self._record(tool, path, rule)
                return (
                    f"agentbox: {tool} may not touch {path} (protected by {rule}; only {self.agent} itself may). "
                    "Hint: work without this file, or ask the user to do this step outside agentbox"
                )
        return None

    def _record(self, tool: str, path: str, rule: str) -> None:
        """A line for `agentbox audit`, in the file that the policy names. Never waits, never raises; tools can write
        there too, so that it tells people what happened and convicts nobody."""
        line = {
            "time": time.time(),
            "agent": self.agent,
            "layer": "guard",
            "operation": tool,
            "path": path,
            "rule": rule,
        }
        cut = {key: value[:1024] if isinstance(value, str) else value for key, value in line.items()}
        try:
            fd = os.open(str(self.audit or ""), FLAGS)
            try:
                status = os.fstat(fd)
                if stat.S_ISREG(status.st_mode) and status.st_size < FULL:
                    os.write(fd, json.dumps(cut).encode() + b"\n")
            finally:
                os.close(fd)
        except (OSError, ValueError):
            pass  # no such file: a container without a place for records

    def rule(self, text: str, cwd: str, *, writing: bool) -> str | None:
        """The rule that protects what `text` names, by its spelling or by where it really leads."""
        for spelled in _spellings(text):
            absolute = os.path.join(cwd, spelled)
            # Some tools take `..` as written before they open a path, others leave it to the kernel: links come first.
            for path in dict.fromkeys((absolute, os.path.normpath(absolute))):
                real = os.path.realpath(path)
                rule = self._match(os.path.normpath(path), writing) or self._match(real, writing)
                if rule := rule or self._second_name(real):
                    return rule
        return None

    def _match(self, path: str, writing: bool) -> str | None:
        path = "/" + path.lstrip("/")
        known = max((each for each in self.rights if _below(path, each)), key=len, default="")
        right = self.rights.get(known, "write")
        if right == "deny" or (right == "read" and writing):
            return f"path {known}"
        parts = path.strip("/").split("/")
        for entry, name in self.names:
            spans = (parts[at : at + len(name)] for at in range(len(parts) - len(name) + 1))
            if any(all(one.fullmatch(part) for one, part in zip(name, span, strict=True)) for span in spans):
                return f"name {entry}"
        return "memory and environment of processes" if PROCESS_MEMORY.fullmatch(path) else None

    def _second_name(self, path: str) -> str | None:
        """A hard link of a protected file."""
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        if found.st_nlink < 2 or os.path.isdir(path):
            return None
        for known, right in self.rights.items():
            if right == "deny" and os.path.exists(known) and os.path.samestat(found, os.stat(known)):
                return f"path {known}"
        return None


RIGHTS = {"deny": "paths", "read": "read", "write": "write"}


def load(file: str = POLICY_FILE) -> Guard:
    """Raises PolicyError for anything wrong with the file."""
    try:
        with open(file, encoding="utf-8") as text:
            return Guard(json.load(text))
    except (OSError, ValueError, AttributeError) as error:
        raise PolicyError(f"{file}: {error}") from None


def _list(policy: Json, key: str) -> list[str]:
    value = policy.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise PolicyError(f"{key!r} is not a list of names")
    return value


def _component(text: str) -> re.Pattern[str]:
    """One component of a name; `*` stands at its start or end."""
    return re.compile("".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", text)), re.DOTALL)


def _below(path: str, tree: str) -> bool:
    return path == tree or path.startswith(tree.rstrip("/") + "/")


def _spellings(text: str) -> Iterator[str]:
    """All that a tool may make of what a model writes: one that knows no ~ opens a folder of that name."""
    for path in dict.fromkeys((text, text.strip(), text.strip().removeprefix("@"))):
        yield path
        yield os.path.expanduser(path)
        if path.startswith("file:"):
            plain = re.sub(r"^file:(?://[^/]*)?", "", path)
            yield plain
            code = re.compile(rb"%([0-9A-Fa-f]{2})")
            yield code.sub(lambda found: bytes([int(found[1], 16)]), plain.encode()).decode(errors="replace")


def _paths(value: object, key: str = "", depth: int = 0) -> Iterator[str]:
    """What the arguments of a call name as files."""
    if isinstance(value, str):
        for path in PATCHED.findall(value):
            yield from dict.fromkeys((path, re.sub(r"^[ab]/", "", path)))
        short = len(value) < LONGEST and "\n" not in value and (PATH_ARGUMENT.search(key) or ROOTED.match(value))
        if value and (short or PATH_ALONE.search(key)):
            yield from dict.fromkeys((value.replace("\0", ""), value.partition("\0")[0]))
    elif isinstance(value, dict) and depth < MAX_DEPTH:
        for name, item in value.items():
            yield from _paths(item, str(name), depth + 1)
    elif isinstance(value, list) and depth < MAX_DEPTH:
        for item in value:
            yield from _paths(item, key, depth + 1)
