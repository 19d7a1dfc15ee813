"""What a person asked for, resolved: what both engines get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentbox.credentials import Keys
from agentbox.gitplan import Plan
from agentbox.identity import Identity
from agentbox.mask import Mask
from agentbox.policy_model import Policy
from agentbox.workspace import Mount

if TYPE_CHECKING:
    from agentbox.audit import Records
    from agentbox.engine import Facts

NO_KEYS = Keys()


@dataclass(frozen=True, slots=True)
class Request:
    """`command` is all of it, `private` the values Compose fills in by name. `alter` changes the engine's description
    of it, a compose model or agentbox.native.parts.Parts, before anything is made of it: how `agentbox verify` takes
    one protection away. `ended` is called with the run's records when all is over."""

    policy: Policy
    identity: Identity
    mounts: list[Mount]
    command: list[str]
    environment: dict[str, str | None]
    private: dict[str, str]
    facts: Facts | None = None
    ports: list[str] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)
    git: Plan = field(default_factory=Plan)
    keys: Keys = NO_KEYS
    alter: Callable[[Any], None] | None = None
    ended: Callable[[Records], None] | None = None

    @property
    def workspace(self) -> str:
        """The first of the folders; empty where there is none."""
        return str(self.mounts[0].source) if self.mounts else ""

    @property
    def brokered(self) -> bool:
        return self.policy.network.mode == "allowlist"
