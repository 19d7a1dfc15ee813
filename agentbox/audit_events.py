"""One timeline of what was denied or masked, from the records of all runs, and what would allow it.

Records from inside a container may be a tool's own invention. So only the agent, the run and the folder that agentbox
itself wrote down are believed of them, their times are kept within the run's, and no command is made of their words: a
rule that they name must be one of the policy in effect.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from agentbox import audit, hosts
from agentbox.audit_read import Lines, Record, flat, moment, text, texts, whole
from agentbox.errors import AgentboxError
from agentbox.identity import Identity
from agentbox.policy_model import Policy
from agentbox.toml_text import write

UNMASKED = 3  # globs in one command
HOSTS = 3  # by name in the line at a session's end
MOST_EVENTS = 50_000  # in memory; a tool that is refused in a loop makes as many as it likes
# Of what a container wrote: fs-vault and the guards stop at 1 MiB, and none of their lines is shorter than 80 bytes.
INSIDE_KEYS = ("time", "agent", "pid", "exe", "layer", "operation", "path", "rule")
INSIDE_BYTES, SHORTEST = (1 << 20) + (64 << 10), 80


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that was kept from an agent or its tools. `claimed`: whoever wrote it down may be a tool.

    `allow` is what would allow it, if anything: a command, or a line of the configuration.
    """

    time: float
    agent: str
    run: str
    workspace: str
    layer: str  # egress | vault | guard | mask
    what: str
    why: str
    allow: str = ""
    allow_host: str = ""
    claimed: bool = False
    fields: Record = field(default_factory=dict, compare=False)

    def as_data(self) -> Record:
        names = ("agent", "run", "workspace", "layer", "what", "why", "allow", "claimed")
        return {"time": iso(self.time), **{name: getattr(self, name) for name in names}, "fields": self.fields}


def iso(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Timeline:
    """The events of all runs, or of the latest; a second `read` returns what has come since the first."""

    def __init__(
        self, identity: Identity, agents: tuple[str, ...] = (), since: float = 0.0, latest: int = audit.KEPT_RUNS
    ) -> None:
        self.identity = identity
        self.latest = latest
        self.left_out = 0
        self.agents = agents
        self.since = since
        self._runs: dict[str, _Run] = {}
        self._cures = _Cures(identity)

    def read(self) -> list[Event]:
        """Oldest first."""
        try:
            names = sorted(path.name for path in audit.folder(self.identity).iterdir())[-self.latest :]
        except OSError:
            names = []
        found: list[Event] = []
        for name in names:
            if name not in self._runs:
                self._runs[name] = _Run(audit.folder(self.identity) / name, self._cures)
            for event in self._runs[name].read():
                if self._wanted(event):
                    found.append(event)
                if len(found) >= 2 * MOST_EVENTS:
                    found = self._newest(found)
        return self._newest(found)

    def _newest(self, found: list[Event]) -> list[Event]:
        found.sort(key=lambda event: event.time)
        self.left_out += max(len(found) - MOST_EVENTS, 0)
        return found[-MOST_EVENTS:]

    def _wanted(self, event: Event) -> bool:
        return event.time >= self.since and (not self.agents or event.agent in self.agents)

    def gaps(self) -> list[str]:
        """What of the records could not be read."""
        sources = [source for run in self._runs.values() for source in run.sources]
        odd = sum(source.odd for source in sources)
        beyond = [str(source.path) for source in sources if source.beyond]
        plural = "s" if odd != 1 else ""
        lines = [f"{odd} line{plural} that no record looks like, passed over"] if odd else []
        lines += [f"{path}: too large; only its beginning was read" for path in beyond]
        return lines + ([f"{self.left_out:,} older events left out: name an --agent"] if self.left_out else [])


def refused(records: audit.Records, identity: Identity) -> str:
    """A line about the hosts that a run did not get, and how it would; empty where there were none."""
    run = _Run(records.folder, _Cures(identity))
    # A tool can have a host refused as often as it likes: no more is made of a record than is shown.
    found = {
        text(record, "remedy", 300) or _place(record): record
        for record in run.egress.read()
        if record.get("verdict") == "deny" and text(record, "host")
    }
    if not found:
        return ""
    # Those first that could be allowed: a name that does not exist was refused too.
    ordered = sorted(found.values(), key=lambda record: not text(record, "remedy", 300))
    first = [run.refusal(record) for record in islice(ordered, HOSTS)]
    rest = f" and {len(found) - HOSTS} more" if len(found) > HOSTS else ""
    shown = ", ".join(event.allow_host or _place(event.fields) for event in first) + rest
    cure = next((event.allow for event in first if event.allow), "")
    cures = [cure if len(found) == 1 or not cure else "agentbox allow HOST", "agentbox audit"]
    what = "1 host was" if len(found) == 1 else f"{len(found)} hosts were"
    # Nothing to allow: then why, or a name that does not resolve looks like one that is kept from the agent.
    why = f"{first[0].why}; " if len(found) == 1 and not cure and first[0].why else ""
    return f"{what} refused: {shown} ({why}{' or '.join(filter(None, cures))})"


def _place(record: Record) -> str:
    """The host and port that were asked for."""
    host, port = text(record, "host", 256), whole(record, "port")
    return (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")


class _Run:
    """The records of one run, from the files of its directory."""

    def __init__(self, folder: Path, cures: _Cures) -> None:
        self.own, self.inside = (
            Lines(folder / audit.OWN),
            Lines(folder / audit.INSIDE, most=INSIDE_BYTES, shortest=SHORTEST),
        )
        self.egress = Lines(folder / audit.EGRESS, skip=b'"verdict": "allow"')
        self.sources = (self.own, self.egress, self.inside)
        self.cures = cures
        self.agent = self.run = self.workspace = ""
        self.start = 0.0
        self._last = 0.0

    def read(self) -> Iterator[Event]:
        for record in self.own.read():
            if record.get("kind") == "start":
                self.agent, self.run, self.workspace = (text(record, key) for key in ("agent", "run", "workspace"))
                self.start = self._last = moment(record) or 0.0
            elif record.get("kind") == "mask":
                yield self._mask(record)
        for record in self.egress.read():
            if record.get("verdict") in ("deny", "dropped"):
                yield self.refusal(record)
        for record in self.inside.read():
            yield self._inside(record)

    def _event(self, record: Record, layer: str, words: tuple[str, str], **more: Any) -> Event:
        at = self._at(record, (self.egress if layer == "egress" else self.inside).path)
        return Event(at, self.agent, self.run, self.workspace, layer, *words, fields=record, **more)

    def _at(self, record: Record, path: Path) -> float:
        """When. Within the run's time, whose end no tool can date: the file's last change by the kernel's clock."""
        try:
            end = path.lstat().st_ctime
        except OSError:
            end = time.time()
        found = moment(record)
        found = self._last if found is None else found
        self._last = max(self.start, min(found, max(end, self.start)))
        return self._last

    def _mask(self, record: Record) -> Event:
        paths, state = texts(record, "paths"), texts(record, "state")
        rest = (whole(record, "count") or 0) - len(paths)
        names = [*paths, *([f"and {rest} more"] if rest > 0 else []), *(f"{name} (agents' state)" for name in state)]
        at = moment(record) or self.start
        words = (f"masked {', '.join(names)}", "a secret, by its name" if paths else "the state of agents")
        allow = self.cures.unmask(self.agent, paths) if rest <= 0 else ""
        return Event(at, self.agent, self.run, self.workspace, "mask", *words, allow=allow, fields=record)

    def refusal(self, record: Record) -> Event:
        if record["verdict"] == "dropped":
            what = f"{whole(record, 'count') or 'some'} decisions"
            return self._event(record, "egress", (what, "too many at once to be written down"))
        what = " ".join(filter(None, (text(record, "method", 20), _place(record))))
        command, name = self.cures.host(text(record, "remedy", 300))
        return self._event(record, "egress", (what, text(record, "reason")), allow=command, allow_host=name)

    def _inside(self, found: Record) -> Event:
        record = flat(found, INSIDE_KEYS)
        layer = "guard" if record.get("layer") == "guard" else "vault"
        rule, path = text(record, "rule"), text(record, "path")
        program = text(record, "exe").rpartition("/")[2]
        what = " ".join(filter(None, (program, text(record, "operation", 100), path)))
        words = (what or "something", f"protected by {rule}" if rule else "")
        return self._event(record, layer, words, allow=self.cures.rule(self.agent, layer, rule), claimed=True)


class _Cures:
    """What would allow a thing. Only words of the policy's, checked hosts and quoted paths go into a command."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self._policies: dict[str, Policy | None] = {}

    def host(self, remedy: str) -> tuple[str, str]:
        """`agentbox allow` of what the broker names, HOST[:PORT] [--private], and the host alone."""
        name, private, rest = remedy.partition(" --private")
        try:
            hosts.parse(name)
        except ValueError:
            return "", ""
        if rest or not name.isascii() or not name.isprintable() or " " in name:
            return "", ""
        return f"agentbox allow {shlex.quote(name)}{private}", name

    def unmask(self, agent: str, paths: list[str]) -> str:
        odd = any(not path.isprintable() or set(path) & set("*?[") for path in paths)
        if not paths or odd or len(paths) > UNMASKED:
            return f"agentbox run {agent} --unmask GLOB" if paths else ""
        return " ".join([f"agentbox run {agent}", *(f"--unmask {shlex.quote(path)}" for path in paths)])

    def rule(self, agent: str, layer: str, rule: str) -> str:
        """By the rule's name; `path` or `name` come before it in the guards' words."""
        policy = self._policy(agent)
        if policy is None:
            return ""
        item = rule.removeprefix("path ").removeprefix("name ")
        if item in policy.vault.deny:
            return f"agents.{agent}.vault.deny = [{write('-' + item)}]"
        if item in policy.vault.read:
            return f"agentbox setup {agent}"
        if layer == "guard" and item in policy.guard:
            return f"guard.deny = [{write('-' + item)}]"
        return ""

    def _policy(self, agent: str) -> Policy | None:
        from agentbox import policy

        if agent not in self._policies:
            try:
                known = agent in policy.agent_names()
                self._policies[agent] = policy.load(agent, self.identity.config_file) if known else None
            except AgentboxError:
                self._policies[agent] = None
        return self._policies[agent]
