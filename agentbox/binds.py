"""What of the host an agent sees, and where, as plain values: both engines mount the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agentbox.audit_place import PLACE
from agentbox.gitplan import Cover
from agentbox.identity import Identity
from agentbox.mask import Mask
from agentbox.policy_model import Policy
from agentbox.resources import tree
from agentbox.workspace import Mount

if TYPE_CHECKING:
    from agentbox.egress import Broker


@dataclass(frozen=True, slots=True)
class Options:
    """What one run adds to the policy. `etc` is the rendered /etc/agentbox, or None to use the image's own; `empty` is
    an empty file to lie over masked ones, and at `blanks`; `copies` holds copies of what `covers` names, called by
    number, or is None to show the originals; `tops` are folders of the run's own; `broker` is there in mode allowlist;
    `records` is the file that vault and guards append to.
    """

    identity: Identity
    mounts: list[Mount]
    environment: Mapping[str, str | None]
    command: list[str]
    cpus: int = 0  # what the engine has; 0 where that is not known
    tty: bool = False
    etc: Path | None = None
    masks: list[Mask] = field(default_factory=list)
    empty: Path | None = None
    covers: list[Cover] = field(default_factory=list)
    copies: Path | None = None
    blanks: list[str] = field(default_factory=list)
    tops: dict[str, Path] = field(default_factory=dict)
    ports: list[str] = field(default_factory=list)
    run_id: str = ""
    owner: str = ""
    broker: Broker | None = None
    records: Path | None = None


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
