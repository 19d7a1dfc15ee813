"""Where verify's attacks are run: what it needs of an engine, and Docker's containers. sandboxes.py has the native
ones."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Protocol

from agentbox import session
from agentbox.compose import tag
from agentbox.engine import Engine, Facts
from agentbox.identity import Identity
from agentbox.policy_model import Policy
from agentbox.request import Request
from agentbox.verify.catalogue import Attack
from agentbox.verify.listener import Listener, listening
from agentbox.verify.protections import Context, model_without
from agentbox.verify.world import INSIDE, World

ENTRYPOINT = ["/usr/local/bin/agentbox-launch", f"{INSIDE}/start.sh"]


@dataclass(frozen=True, slots=True)
class Job:
    """One start: without the protections `off`, of which `context` says more. `run_id` is a proposal. `port` is the
    scripted model's where that is outside, else 0."""

    world: World
    off: frozenset[str]
    context: Context
    run_id: str
    port: int = 0


class Ground(Protocol):
    """An engine, as verify sees it. `online`: also where no network is needed, there is one."""

    @property
    def name(self) -> str: ...

    @property
    def at_once(self) -> int: ...

    @property
    def online(self) -> bool: ...

    def model_outside(self, mode: str) -> bool:
        """Whether the scripted model cannot stand beside the agent, with a network of this mode."""

    def without(self, off: frozenset[str]) -> Ground:
        """Where what lacks these protections is run."""

    def unclaimed(self, attack: Attack) -> str:
        """Why the engine does not claim to stop the attack; empty where it does."""

    def off(self, attack: Attack) -> frozenset[str]:
        """What the attack's control is without."""

    def listening(self, policy: Policy, identity: Identity, folder: Path) -> AbstractContextManager[Listener]:
        """A listener, for as long as the block lasts."""

    def places(self, world: World) -> Mapping[str, str]:
        """Paths of a container, and where they are here, if that is elsewhere."""

    def names(self, world: World, run_id: str) -> dict[str, str]:
        """What the attacks know of the host, by variable."""

    def program(self, name: str) -> str:
        """How an interpreter is called here."""

    def run(self, request: Request, job: Job, output: IO[bytes], stop: threading.Event) -> int:
        """Run to the end."""


@dataclass(frozen=True, slots=True)
class Containers:
    """Docker's."""

    engine: Engine
    facts: Facts
    name: str = "docker"
    at_once: int = 4
    online: bool = False

    def model_outside(self, mode: str) -> bool:
        del mode
        return False

    def without(self, off: frozenset[str]) -> Containers:
        del off
        return self

    def unclaimed(self, attack: Attack) -> str:
        return "" if self.name in attack.engines else "it is an attack on the native engine"

    def off(self, attack: Attack) -> frozenset[str]:
        return attack.stopped_by

    def listening(self, policy: Policy, identity: Identity, folder: Path) -> AbstractContextManager[Listener]:
        return listening(self.engine, tag(identity, policy.agent), identity, folder)

    def places(self, world: World) -> Mapping[str, str]:
        del world
        return {}

    def names(self, world: World, run_id: str) -> dict[str, str]:
        del world, run_id
        return {"HOST_HOME": "/host-home"}

    def program(self, name: str) -> str:
        return name

    def run(self, request: Request, job: Job, output: IO[bytes], stop: threading.Event) -> int:
        def alter(model: dict[str, Any]) -> None:
            model["services"][request.policy.agent]["entrypoint"] = ENTRYPOINT
            model_without(model, job.off, job.context)

        return session.run_beside(replace(request, facts=self.facts, alter=alter), self.engine, output, stop)
