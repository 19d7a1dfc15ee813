"""What a killed agentbox left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from agentbox import owner
from agentbox.doctor.finding import OK, WARNING, Finding, World


def check(world: World) -> Iterator[Finding]:
    if world.identity is None:
        return
    found = list(owner.leftovers(world.engine, world.identity))
    for name, remove in found:
        yield Finding(
            "leftovers",
            WARNING,
            f"{name} is left of a run that was killed",
            "it takes room, and may hold a port or keys",
            "agentbox clean",
            partial(_remove, name, remove),
        )
    if not found:
        yield Finding("leftovers", OK, "nothing is left of earlier runs")


def _remove(name: str, remove: Callable[[], bool]) -> str:
    return f"removed {name}" if remove() else ""
