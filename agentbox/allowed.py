"""Hosts that `agentbox allow` has added: a file beside the user's configuration, and the rules of brokers that run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from agentbox import hosts
from agentbox.errors import PolicyError, UsageError
from agentbox.identity import Identity
from agentbox.owner import run_root
from agentbox.state import locked, make_dir, write_file
from agentbox.toml_text import write

NAME = "allowed.toml"
KINDS: dict[str, type] = {"host": str, "private": bool, "agent": str, "workspace": str}


class Entry(NamedTuple):
    """One host; for one `agent` or all (empty), in one `workspace` or everywhere (empty)."""

    host: str
    private: bool = False
    agent: str = ""
    workspace: str = ""

    def applies(self, agent: str, workspace: str) -> bool:
        return self.agent in ("", agent) and self.workspace in ("", workspace)


def path(identity: Identity) -> Path:
    return identity.config_file.with_name(NAME)


def entries(file: Path) -> list[Entry]:
    """What the file holds; nothing where there is none. Raises PolicyError for a file that makes no sense."""
    from agentbox.policy_load import read

    source = read(file)
    found: list[Entry] = []
    for row in source.tables.get("allow", []) if source else ():
        if not isinstance(row, dict) or any(not isinstance(row[key], KINDS.get(key, type(None))) for key in row):
            raise PolicyError(str(file), "allow must hold host, private, agent and workspace only")
        found.append(Entry(**row) if "host" in row else _no_host(file))
        try:
            hosts.parse(found[-1].host)
        except ValueError as error:
            raise PolicyError(str(file), str(error)) from None
    return found


def _no_host(file: Path) -> Entry:
    raise PolicyError(str(file), "an allow lacks its host")


def add(identity: Identity, entry: Entry) -> None:
    """Keep `entry` for later runs. Raises UsageError, PolicyError."""
    try:
        host = hosts.parse(entry.host)
    except ValueError as error:
        raise UsageError("allow", str(error)) from None
    if what := hosts.out_of_reach(host):
        port = host.ports[0] if len(host.ports) == 1 else "PORT"
        own = f"this machine is {hosts.OWN_HOST}: agentbox allow {hosts.OWN_HOST}:{port}"
        hint = own if what == hosts.LOOPBACK else ""
        raise UsageError(entry.host, f"is {what}: the broker leads nobody there", hint)
    with _locked(identity):
        before = entries(path(identity))
        if entry not in before:
            _write(identity, [*before, entry])


def remove(identity: Identity, host: str, agent: str = "", workspace: str = "") -> list[Entry]:
    """Forget every entry for `host`, or those of one agent, or of one folder; returns them."""
    try:
        meant = hosts.parse(host)
    except ValueError:
        return []
    with _locked(identity):
        before = entries(path(identity))
        gone = [
            entry
            for entry in before
            if hosts.parse(entry.host) == meant and agent in ("", entry.agent) and workspace in ("", entry.workspace)
        ]
        if gone:
            _write(identity, [entry for entry in before if entry not in gone])
    return gone


def _locked(identity: Identity) -> AbstractContextManager[None]:
    """One lock for the file and for brokers' rules: a broker sees the folder of its own, and could hold that one."""
    return locked(make_dir(path(identity).parent, identity))


def _write(identity: Identity, kept: Iterable[Entry]) -> None:
    lines = ["# Written by `agentbox allow`; yours to change."]
    for entry in kept:
        lines += ["", "[[allow]]"]
        lines += [f"{key} = {write(value)}" for key, value in entry._asdict().items() if value]
    write_file(path(identity), ("\n".join(lines) + "\n").encode(), identity)


def tell_brokers(identity: Identity, entry: Entry) -> list[str]:
    """Add `entry` to the rules of every broker of this user that it concerns. Returns the ids of their runs."""
    told = []
    host = hosts.parse(entry.host, private=entry.private)
    try:
        folders = sorted(run_root(identity).iterdir())
    except OSError:
        return []
    with _locked(identity):
        for folder in folders:
            file = folder / "rules/rules.json"
            try:
                rules, workspace = json.loads(file.read_text()), (folder / "workspace").read_text()
            except (OSError, ValueError):
                continue  # a run without a broker, or one that ends at this moment
            if entry.applies(rules["agent"], workspace):
                add_rule(rules, host, NAME)
                write_file(file, json.dumps(rules).encode(), identity)
                told.append(folder.name)
    return told


def add_rule(rules: dict[str, Any], host: hosts.Host, source: str) -> None:
    """Put one host into the broker's rules (docs/internals.md, "The broker")."""
    if host.name == hosts.ANY:
        rules["mode"] = "open"
        return
    ports: list[int] | str = list(host.ports) or "*"
    same = [rule for rule in rules["allow"] if (rule["host"], rule["ports"]) == (host.name, ports)]
    for rule in same:
        rule["private"] = rule["private"] or host.private
    if not same:
        rules["allow"].append({"host": host.name, "ports": ports, "private": host.private, "from": source})
