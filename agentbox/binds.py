"""What of the host an agent sees, and where, as plain values: both engines mount the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agentbox.audit_place import PLACE
from agentbox.mask import Mask
from agentbox.policy_model import Policy
from agentbox.resources import tree

if TYPE_CHECKING:
    from agentbox.compose import Options


class Bind(NamedTuple):
    """`source`, a path of the host, at `target`; an empty folder where there is no source."""

    source: str
    target: str
    read_only: bool = False


def binds(policy: Policy, options: Options) -> list[Bind]:
    """The host's folders, the agent's state, the rendered policy, and what lies over places in them."""
    found = [Bind(str(mount.source), mount.target, mount.read_only) for mount in options.mounts]
    for state in policy.state:
        found.append(Bind(str((options.identity.home / state.host).resolve()), state.path))
    if options.etc is not None:
        found.append(Bind(str(options.etc), "/etc/agentbox", read_only=True))
    if options.records is not None:
        found.append(Bind(str(options.records), PLACE))
    for number, each in enumerate(options.covers):
        source = each.host if options.copies is None else options.copies / str(number)
        found.append(Bind(str(source), each.target, read_only=True))
    found += [Bind(str(source), place, read_only=True) for place, source in options.tops.items()]
    empty = options.empty or tree("containers") / "empty"
    found += [Bind(str(empty), place, read_only=True) for place in options.blanks]
    return found + [cover(mask, empty) for mask in options.masks]


def cover(mask: Mask, empty: Path) -> Bind:
    """What lies over a masked place."""
    return Bind("" if mask.folder else str(empty), mask.target, read_only=True)
