"""A sandbox before it is made, in plain values: what stands around the agent, and what is started."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from agentbox.native.bubblewrap import Box
from agentbox.native.landlock import Rules
from agentbox.native.layout import Layout


@dataclass(slots=True)
class Parts:
    """With bubblewrap there is a `box`; without, the `rules` of a domain, and the broker's `port` and `listener` on the
    host's loopback. `limits` are agentbox-enter's, `filtered` says whether there is a filter of system calls."""

    layout: Layout
    environ: dict[str, str]
    command: list[str]
    limits: dict[str, int]
    filtered: bool
    box: Box | None = None
    rules: Rules | None = None
    cwd: str | None = None
    port: int = 0
    listener: socket.socket | None = field(default=None)
