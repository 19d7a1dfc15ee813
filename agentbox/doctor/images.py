"""The images: there, and made from what is configured now."""

from __future__ import annotations

import time
from collections.abc import Iterator

from agentbox import authority, images
from agentbox.compose import tag
from agentbox.doctor.finding import OK, WARNING, Finding, World
from agentbox.engine import Engine, Facts
from agentbox.identity import Identity
from agentbox.images import Recipe


def check(world: World) -> Iterator[Finding]:
    if world.engine is None or world.identity is None:
        return
    engine, who = world.engine, world.identity
    if not _has_authority(who):
        yield from _strangers(world, engine, who)
        return
    wanted = _recipes(world, who, engine.facts())
    missing, stale, fresh = [], [], []
    for name in ("base", "egress", *(policy.agent for policy in world.policies)):
        if engine.image_labels(tag(who, name)) is None:
            missing.append(name)
        elif images.stale(engine, wanted[name]):
            stale.append(name)
        else:
            fresh.append(name)
    if fresh:
        yield Finding("images.fresh", OK, f"up to date: {', '.join(fresh)}")
    if missing:
        yield Finding("images.missing", OK, f"not built yet: {', '.join(missing)} (an agent's first run does)")
    if stale:
        agents = [name for name in stale if name not in ("base", "egress")]
        yield Finding(
            "images.stale",
            WARNING,
            f"older than this agentbox or its configuration: {', '.join(stale)}",
            "the next run builds them first, which takes a minute or two",
            f"agentbox build {' '.join(agents)}".rstrip(),
        )


def _strangers(world: World, engine: Engine, identity: Identity) -> Iterator[Finding]:
    """Without the broker's authority in this home, agents' images were made with another, or are not there."""
    found = [each.agent for each in world.policies if engine.image_labels(tag(identity, each.agent)) is not None]
    if not found:
        yield Finding("images.missing", OK, "no agent's image is built yet (the first run of an agent does)")
        return
    yield Finding(
        "images.stale",
        WARNING,
        f"made with another broker's authority than this home's: {', '.join(found)}",
        "the next run builds them first, which takes a minute or two",
        f"agentbox build {' '.join(found)}",
    )


def _has_authority(identity: Identity) -> bool:
    """To ask for a recipe would make one, and a doctor writes nothing unasked."""
    try:
        made = (identity.own_state / "ca" / authority.CERTIFICATE).stat().st_mtime
    except OSError:
        return False
    return made > time.time() - authority.RENEW_AFTER


def _recipes(world: World, identity: Identity, facts: Facts) -> dict[str, Recipe]:
    found: dict[str, Recipe] = {}
    for policy in world.policies:
        each = images.recipes(policy, identity, facts)
        found |= {"base": each.base, "egress": each.egress, policy.agent: each.agent}
    return found
