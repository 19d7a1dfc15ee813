"""What a check says, and what it is told."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from agentbox import identity as identities
from agentbox import policy as policies
from agentbox import versions
from agentbox.engine import Engine
from agentbox.errors import AgentboxError, EngineError, PolicyError, UsageError
from agentbox.identity import Identity
from agentbox.policy_model import Policy

OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: `what` is the case, `why` that matters, `fix` a command or a sentence.

    `repair` does the fix where that can do no harm, and says what it did.
    """

    id: str
    level: str
    what: str
    why: str = ""
    fix: str = ""
    repair: Callable[[], str] | None = None


@dataclass
class World:
    """What the checks look at, found out once: None where it cannot be had, and then the error says why."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __post_init__(self) -> None:
        self.identity: Identity | None = None
        self.identity_error: UsageError | None = None
        try:
            self.identity = identities.current()
        except UsageError as error:
            self.identity_error = error
        self.engine: Engine | None = None
        self.info: dict[str, Any] = {}
        self.engine_error: AgentboxError | None = None
        try:
            engine = Engine()
            self.info = engine.info()
            self.engine = engine
        except EngineError as error:
            self.engine_error = error

    @cached_property
    def policies(self) -> list[Policy]:
        """Every agent's, without any workspace's file; the shipped ones where the user's file is broken."""
        found = []
        for name in policies.agent_names():
            try:
                policy = policies.load(name, self.identity.config_file if self.identity else None)
            except PolicyError:
                policy = policies.load(name)
            found.append(versions.apply(policy, self.identity, {}) if self.identity else policy)
        return found

    @property
    def local(self) -> bool:
        """Whether the engine is on this machine, with this kernel: no virtual machine, no other host."""
        same = self.info.get("KernelVersion") == os.uname().release
        return bool(self.engine and self.engine.socket and same)

    def has(self, option: str) -> bool:
        """Whether the engine names a security option: rootless, userns, seccomp, selinux."""
        named = (str(item).split(",") for item in self.info.get("SecurityOptions") or ())
        return any(f"name={option}" in parts for parts in named)


def quoted(path: object) -> str:
    """A path as a shell's word."""
    return shlex.quote(str(path))


def size(number: float) -> str:
    """Bytes for people."""
    units = ["TiB", "GiB", "MiB", "KiB", "B"]
    while number >= 1024 and len(units) > 1:
        number /= 1024
        units.pop()
    unit = units[-1]
    return f"{number:.1f} {unit}" if number < 10 else f"{number:.0f} {unit}"
