"""The two engines behind one small interface: Docker, and the native one for machines without it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from agentbox.errors import EngineError, UsageError, one_line
from agentbox.identity import Identity
from agentbox.policy_model import Policy
from agentbox.request import Request
from agentbox.workspace import Mount

if TYPE_CHECKING:
    from agentbox.verify.grounds import Ground

Report = Callable[[str], None]
Progress = Callable[[], Any]  # a context manager that gives a Report


class Runtime(Protocol):
    """What a start needs of an engine, in this order."""

    def prepare(self, policy: Policy, who: Identity, progress: Progress, *, rebuild: bool) -> None:
        """Build or install what is missing. Raises AgentboxError."""

    def others(self) -> list[set[str]]:
        """What each running sandbox has mounted of the host."""

    def masks(self) -> bool:
        """Whether it can cover places in the folders."""

    def check(self, mounts: list[Mount]) -> None:
        """Raises UsageError for folders that this engine cannot mount."""

    def run(self, request: Request) -> int:
        """Run to the end; the agent's exit code."""

    def ground(self) -> Ground:
        """The same for `agentbox verify`, once it is prepared."""


class Docker:
    """Containers."""

    def __init__(self) -> None:
        from agentbox.engine import NO_FACTS, Engine

        self.engine = Engine()
        self.facts = NO_FACTS

    def prepare(self, policy: Policy, who: Identity, progress: Progress, *, rebuild: bool) -> None:
        from agentbox import images

        self.ask()
        recipes = images.recipes(policy, who, self.facts)
        needed = [recipes.agent, *([recipes.egress] if policy.network.mode == "allowlist" else [])]
        if rebuild or any(images.stale(self.engine, recipe) for recipe in needed):
            from agentbox import build

            with progress() as report:
                build.build([policy], who, self.engine, report=report)

    def ask(self) -> None:
        """What the engine has. Raises EngineError where none answers."""
        self.facts = self.facts if self.facts.version else self.engine.facts()

    def others(self) -> list[set[str]]:
        return self.engine.mounted()

    def masks(self) -> bool:
        return True

    def check(self, mounts: list[Mount]) -> None:
        for mount in mounts:
            try:
                str(mount.source).encode()
            except UnicodeEncodeError:
                cause = "its name is not UTF-8, which Compose cannot express"
                raise UsageError(str(mount.source), cause, "rename the folder, or use --engine native") from None

    def run(self, request: Request) -> int:
        from dataclasses import replace

        from agentbox import session

        return session.run(replace(request, facts=self.facts), self.engine)

    def ground(self) -> Ground:
        from agentbox.verify.grounds import Containers

        return Containers(self.engine, self.facts)


class Native:
    """bubblewrap and Landlock (agentbox.native)."""

    def __init__(self, who: Identity, say: Report, *, use_installed: bool = False) -> None:
        self.who, self.say, self.use_installed = who, say, use_installed
        self.installed: Any = None
        self.python: Any = None

    def prepare(self, policy: Policy, who: Identity, progress: Progress, *, rebuild: bool) -> None:
        from agentbox import harness
        from agentbox.native.harness import compiled, from_path, settled

        brokered = policy.network.mode == "allowlist"
        node = brokered and os.environ.get("NODE_EXTRA_CA_CERTS")
        if os.environ.get("AGENTBOX_CA_BUNDLE") or policy.image.ca_bundle or node:
            from agentbox.images import ca_bundle

            ca_bundle(None, policy)  # what is wrong with it is said now, not where the broker starts beside the agent
        with _late(progress) as report:
            if brokered:
                from agentbox import egress
                from agentbox.native import broker

                egress.upstream(os.environ)  # said now, as above
                self.python = broker.ensure(who, report, policy)
            if not self.use_installed:
                self.installed = settled(harness.ensure(policy, progress=report, identity=who))
                if (place := compiled(policy, self.installed)) and not place.exists():
                    from agentbox.native import ahead

                    ahead.compile_ahead(policy, self.installed, who)
        if self.use_installed:
            self.installed = from_path(policy, who, self.say)
        if rebuild:
            self.say("--rebuild: there is no image to build; `agentbox purge` removes what was installed")

    def others(self) -> list[set[str]]:
        from agentbox.native import sessions

        return [set(each.binds) for each in sessions.running(self.who)]

    def masks(self) -> bool:
        from agentbox.native import bubblewrap

        return not bubblewrap.missing()

    def check(self, mounts: list[Mount]) -> None:
        pass

    def run(self, request: Request) -> int:
        from agentbox.native import claims, run
        from agentbox.native.harness import check_apart

        if self.use_installed:
            check_apart(self.installed, request.mounts)
        for line in filter(None, (claims.alone(), claims.lacking(request.policy, request.identity))):
            self.say(line)
        return run.run(request, self.installed, self.python)

    def ground(self) -> Ground:
        from agentbox.native import claims
        from agentbox.verify import sandboxes

        if line := claims.alone():
            self.say(line)
        return sandboxes.ground(self.installed, self.python)


@contextmanager
def _late(progress: Progress) -> Iterator[Report]:
    """A report that opens `progress` with its first line: most starts have nothing to tell."""
    with ExitStack() as stack:
        opened: list[Report] = []

        def report(line: str) -> None:
            if not opened:
                opened.append(stack.enter_context(progress()))
            opened[0](line)

        yield report


def choose(wanted: str, who: Identity, say: Report, *, use_installed: bool = False) -> Runtime:
    """The engine to use. `auto` is Docker where one answers. Raises EngineError where what is wanted cannot be had."""
    if wanted == "native":
        return Native(who, say, use_installed=use_installed)
    try:
        docker = Docker()
        if wanted == "auto":
            docker.ask()
        return docker
    except EngineError as error:
        if wanted != "auto":
            raise
        from agentbox.native import claims

        say(f"Docker cannot be used ({one_line(str(error))}): the native engine runs this")
        say(claims.weaker())
        return Native(who, say, use_installed=use_installed)
