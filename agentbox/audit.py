"""Where a run's records lie: a directory for each run, with a file for each writer that is trusted differently.

    run.jsonl            agentbox itself: that the run began, and what was masked
    egress/audit.jsonl   the broker
    inside.jsonl         fs-vault and the agents' guards, and so whatever a tool wants to write there

audit_read reads them as what they are, audit_events makes one timeline of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from agentbox.identity import Identity
from agentbox.mask import Mask
from agentbox.owner import run_root
from agentbox.state import make_dir, remove_tree, write_file
from agentbox.workspace import Mount, private_dirs

OWN, EGRESS, INSIDE = "run.jsonl", "egress/audit.jsonl", "inside.jsonl"
KEPT_RUNS = 100
NAMED = 32 << 10  # bytes of paths in one record
LOOKED_AT = 20  # runs, where a shell waits for the answer
LARGEST = 2 << 20  # bytes of INSIDE that are kept; its writers stop at 1 MiB


def folder(identity: Identity) -> Path:
    return identity.own_state / "audit"


class Records(NamedTuple):
    """The directory of one run."""

    folder: Path

    @property
    def egress(self) -> Path:
        return (self.folder / EGRESS).parent

    @property
    def inside(self) -> Path:
        return self.folder / INSIDE

    def any_egress(self) -> bool:
        """Whether the broker has written anything."""
        with contextlib.suppress(OSError):
            return (self.folder / EGRESS).stat().st_size > 0
        return False

    def close(self) -> None:
        """After the run: of what a tool may have put there, nothing fills the disk."""
        with contextlib.suppress(OSError):
            fd = os.open(self.inside, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if os.fstat(fd).st_size > LARGEST:
                    os.ftruncate(fd, LARGEST)
            finally:
                os.close(fd)

    def note(self, kind: str, **fields: Any) -> None:
        """Append a line of agentbox's own."""
        line = json.dumps({"time": time.time(), "kind": kind, **fields}) + "\n"
        fd = os.open(self.folder / OWN, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)


def begin(identity: Identity, agent: str, run_id: str, workspace: str) -> Records:
    """Make the directory of a run that starts now, and forget the oldest ones, but for runs that still go on."""
    root = make_dir(folder(identity), identity)
    for old in sorted(root.iterdir())[: -KEPT_RUNS + 1]:
        if not (run_root(identity) / old.name.rpartition("-")[2]).exists():
            remove_tree(old)
    found = Records(make_dir(root / f"{time.strftime('%Y%m%d-%H%M%S')}-{agent}-{run_id}", identity))
    make_dir(found.egress, identity)
    for name in (OWN, INSIDE):
        write_file(found.folder / name, b"", identity)
    found.note("start", agent=agent, run=run_id, workspace=workspace)
    return found


def note_masks(records: Records, masks: list[Mask], mounts: list[Mount], identity: Identity) -> None:
    """One record of what a run covered: secrets by the path that --unmask takes, and agents' state."""
    if not masks:
        return
    private = {str(path) for path in private_dirs(identity)}
    secret = dict.fromkeys(_below(mask.host, mounts) for mask in masks if mask.host not in private)
    state = [_below(mask.host, mounts) for mask in masks if mask.host in private]
    sizes = accumulate(len(json.dumps(path)) for path in secret)
    paths = [path for path, size in zip(secret, sizes, strict=True) if size < NAMED]
    records.note("mask", count=len(secret), paths=paths, state=state)


def _below(path: str, mounts: list[Mount]) -> str:
    roots = [str(mount.source).rstrip("/") + "/" for mount in mounts]
    return next((path[len(root) :] for root in roots if path.startswith(root)), path)


def refused_hosts(identity: Identity) -> list[str]:
    """The hosts that were refused and can be allowed, as `agentbox allow` takes them, the latest first."""
    from agentbox import audit_events

    events = audit_events.Timeline(identity, latest=LOOKED_AT).read()
    found = [each.allow_host for each in reversed(events) if each.allow_host]
    return list(dict.fromkeys(found))
