"""Reads and merges the configuration: the defaults, an agent's file, the user's, a workspace's."""

from __future__ import annotations

import errno
import os
import re
import stat
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from agentbox import allowed
from agentbox.errors import PolicyError, UsageError, nearest
from agentbox.policy_schema import KEYS, MODES, SECTIONS, TABLES, Key, Table, to_bytes
from agentbox.toml_text import line_of

PACKAGE = Path(__file__).resolve().parent
WORKSPACE_FILE = ".agentbox.toml"
LARGEST = 64 * 1024


@dataclass(slots=True)
class Source:
    """One file: `name` for messages, its `text`, and its parsed `tables`."""

    name: str
    text: str
    tables: dict[str, Any]

    def error(self, key: str, cause: str, hint: str = "", row: int | None = None) -> PolicyError:
        """An error about `key`, with the line that sets it where that can be told; `row` is the entry of a table."""
        place, line = line_of(self.text, key, row) or ((), None)
        return PolicyError(self.name, f"{key} {cause}", hint, line=line, place=place)


@dataclass(slots=True)
class Merged:
    """Values by key (`limits.pids`) and by table (`tmpfs`), and which files set them; `items` says so for the items of
    lists. `sources` are the files, in the order in which they were merged."""

    values: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    origin: dict[str, tuple[str, ...]] = field(default_factory=dict)
    items: dict[str, dict[str, str]] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)

    def mark(self, key: str, source: Source) -> None:
        self.origin[key] = (*self.origin.get(key, ()), source.name)


def agent_names() -> tuple[str, ...]:
    """The agents that this installation knows, sorted."""
    return tuple(sorted(name[:-5] for name in os.listdir(PACKAGE / "agents") if name.endswith(".toml")))  # noqa: PTH208  pathlib is slower on the way to a run


def check_agent(name: str) -> None:
    """Raise UsageError, with the nearest name, unless `name` is an agent."""
    known = agent_names()
    if name not in known:
        meant = nearest(name, known)
        hint = f"did you mean {meant}?" if meant else f"the agents are {', '.join(known)}"
        raise UsageError(name, "there is no agent of that name", hint)


def parse(name: str, text: str) -> Source:
    """TOML as a Source. Raises PolicyError with the line where it is broken."""
    try:
        return Source(name, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        where = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        line = int(where[1]) if where else text.count("\n") + 1
        cause = str(error)[: where.start()] if where else str(error).removesuffix(" (at end of document)")
        raise PolicyError(name, f"not valid TOML: {cause}", line=line) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets thousands deep
        raise PolicyError(name, f"not valid TOML: {str(error) or 'nested too deeply'}") from None


def read(path: Path, name: str = "") -> Source | None:
    """The file at `path`, or None where there is none. Only a small regular file is read: the workspace's is the
    agent's to write, and a FIFO would hang, a device flood."""
    name = name or str(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ENOTDIR:
            return None
        raise PolicyError(name, error.strerror or str(error)) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise PolicyError(name, "not a regular file")
    with os.fdopen(fd, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise PolicyError(name, "larger than 64 KiB")
    try:
        return parse(name, data.decode())
    except UnicodeDecodeError:
        raise PolicyError(name, "not UTF-8") from None


def merge(into: Merged, source: Source, tables: dict[str, Any], prefix: str = "", *, tighten: bool = False) -> None:
    """Add `tables` of `source` to `into`; `prefix` (`agents.pi.`) is for messages only.

    Raises PolicyError for unknown keys, wrong values, and, with `tighten`, for whatever would loosen the policy.
    """
    for name, value in tables.items():
        if name in TABLES:
            if tighten:
                raise loosens(source, prefix + name)
            _merge_table(into, source, name, value, prefix)
        elif name in SECTIONS:
            if not isinstance(value, dict):
                raise source.error(prefix + name, "must be a table")
            for key, item in value.items():
                _merge_key(into, source, f"{name}.{key}", item, prefix, tighten=tighten)
        else:
            _merge_key(into, source, name, value, prefix, tighten=tighten)


def loosens(source: Source, key: str) -> PolicyError:
    return source.error(
        key,
        "may not be set by a workspace",
        "a workspace may lower [limits], add to vault.deny, guard.deny and mask.globs, and take hosts from [network]; "
        "the rest belongs in ~/.config/agentbox/config.toml",
    )


def unknown(source: Source, key: str, known: list[str], row: int | None = None) -> PolicyError:
    tables = {name.partition(".")[0] for name in known}
    meant = nearest(key, sorted({*known, *tables}))
    return source.error(key, "is not a known key", f"did you mean {meant}?" if meant else "", row)


def _merge_key(  # noqa: PLR0913
    into: Merged, source: Source, name: str, value: Any, prefix: str, *, tighten: bool
) -> None:
    key = KEYS.get(name)
    if key is None:
        raise unknown(source, prefix + name, [prefix + known for known in (*KEYS, *TABLES)])
    if tighten and not key.tighten:
        raise loosens(source, prefix + name)
    if message := key.check(value):
        raise source.error(prefix + name, message)
    old = into.values.get(name)
    if tighten and (old is not None or key.tighten == "remove"):
        _check_tightens(source, prefix + name, key, old, value)
    if key.join == "extend":
        into.values[name] = joined(old or [], value)
        sources = into.items.setdefault(name, {})
        sources |= {item: source.name for item in value if item not in sources}
    elif key.join == "update":
        into.values[name] = {**(old or {}), **value}
    else:
        into.values[name] = value
    into.mark(name, source)


def _check_tightens(source: Source, name: str, key: Key, old: Any, new: Any) -> None:
    def amount(value: Any) -> float:
        return float(to_bytes(value)) if isinstance(value, str) else float(value)

    if key.tighten == "lower" and amount(new) > amount(old):
        raise source.error(name, f"may only be lowered by a workspace: {new} is more than {old}")
    for row, item in enumerate(new if key.tighten in ("extend", "remove") else ()):
        if key.tighten == "extend" and item.startswith("-"):
            raise source.error(name, f"may only be added to by a workspace, not {item!r}", row=row)
        if key.tighten == "remove" and not item.startswith("-"):
            cause = f'may only be taken from by a workspace: write "-host", not {item!r}'
            raise source.error(name, cause, "`agentbox allow HOST --here` adds one", row)
    if key.tighten == "raise" and MODES.index(new) < MODES.index(old):
        raise source.error(name, f"may only be tightened by a workspace: {new} is more than {old}")


def joined(old: list[str], new: list[str]) -> list[str]:
    """Both lists without repetition; an item `-x` takes `x` back."""
    gone = {item[1:] for item in new if item.startswith("-")}
    return list(dict.fromkeys(item for item in (*old, *new) if not item.startswith("-") and item not in gone))


def _merge_table(into: Merged, source: Source, name: str, entries: Any, prefix: str) -> None:
    table = TABLES[name]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise source.error(prefix + name, f"must be written as [[{name}]]")
    rows = into.tables.setdefault(name, {})
    for number, entry in enumerate(entries):
        identity = entry.get(table.identity)
        if not isinstance(identity, str):
            wrong = "must be a string" if table.identity in entry else f"lacks {table.identity}"
            raise source.error(prefix + name, wrong, row=number)
        for key, value in entry.items():
            _check_entry(source, table, f"{prefix}{name}.{key}", value, number)
        row = {**table.defaults, **rows.get(identity, {}), **entry}
        if missing := [key for key in table.keys if key not in row]:
            raise source.error(prefix + name, f"{identity} lacks {missing[0]}", row=number)
        rows[identity] = row
    into.mark(name, source)


def _check_entry(source: Source, table: Table, shown: str, value: Any, row: int) -> None:
    stem, _, key = shown.rpartition(".")
    if key not in table.keys:
        raise unknown(source, shown, [f"{stem}.{known}" for known in table.keys], row)
    if message := table.keys[key](value):
        raise source.error(shown, message, row=row)


@cache
def _shipped(name: str) -> Source:
    """One of agentbox's own files. A start looks at all agents' more than once."""
    source = read(PACKAGE / name, name)
    if source is None:
        raise PolicyError(name, "missing from this installation", "install agentbox again")
    return source


@cache
def state_folders() -> tuple[str, ...]:
    """All agents' state below the home."""
    sources = [_shipped(f"agents/{name}.toml") for name in agent_names()]
    return tuple(row["host"] for source in sources for row in source.tables.get("state", ()))


def layers(agent: str, user: Path | None, workspace: Path | None) -> Merged:
    """All that is said about `agent`, merged. `user` is the user's file, `workspace` the first folder."""
    check_agent(agent)
    merged = Merged()
    for name in ("defaults.toml", f"agents/{agent}.toml"):
        shipped = _shipped(name)
        merged.sources.append(shipped)
        merge(merged, shipped, shipped.tables)
    if user is not None and (source := read(user)):
        merge_layer(merged, source, agent, tighten=False)
    if user is not None:
        _merge_allowed(merged, user.with_name(allowed.NAME), agent, workspace)
    if workspace is not None and (source := read(workspace / WORKSPACE_FILE)):
        merge_layer(merged, source, agent, tighten=True)
    return merged


def _merge_allowed(merged: Merged, file: Path, agent: str, workspace: Path | None) -> None:
    """What `agentbox allow` has added for this agent and this folder."""
    source = Source(allowed.NAME, "", {})
    for entry in allowed.entries(file):
        if entry.applies(agent, str(workspace or "")):
            key = "network.private" if entry.private else "network.hosts"
            _merge_key(merged, source, key, [entry.host], "", tighten=False)


def merge_layer(merged: Merged, source: Source, agent: str, *, tighten: bool) -> None:
    """Add a file that may speak of all agents ([limits]) and of single ones ([agents.pi.limits])."""
    merged.sources.append(source)
    agents = source.tables.get("agents", {})
    if not isinstance(agents, dict) or not all(isinstance(value, dict) for value in agents.values()):
        raise source.error("agents", "must hold tables such as [agents.pi.limits]")
    known = agent_names()
    for name in agents:
        if name not in known:
            raise unknown(source, f"agents.{name}", [f"agents.{other}" for other in known])
    merge(merged, source, {name: table for name, table in source.tables.items() if name != "agents"}, tighten=tighten)
    # The other agents' tables are checked too, against nothing: a mistake should not wait for its agent.
    for name, tables in agents.items():
        merge(merged if name == agent else Merged(), source, tables, f"agents.{name}.", tighten=tighten)
