"""The timeline for people: a line an event in a pipe, a few that fit its width on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import groupby

from rich.padding import Padding
from rich.text import Text

from agentbox.audit_events import Event
from agentbox.cli import terminal
from agentbox.errors import one_line

COLOURS = {"egress": "yellow", "vault": "red", "guard": "magenta", "mask": "blue"}
AGENT, LAYER = 8, 6  # widths


def show(events: list[Event]) -> None:
    console = terminal.console()
    folded = sys.stdout.isatty()
    for event, times in _folded(events):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.time))
        layer = (f"{event.layer:{LAYER}}", COLOURS[event.layer])
        head = Text.assemble((when, "dim"), f"  {event.agent:{AGENT}}  ", layer, "  ")
        what = Text(one_line(event.what) + (f", {times} times" if times > 1 else ""), overflow="fold")
        why, allow = Text(one_line(event.why), overflow="fold"), Text(one_line(event.allow), "cyan")
        if not folded:
            line = Text.assemble(
                head, what, *((" (", why, ")") if why else ()), *(("  allow: ", allow) if allow else ())
            )
            console.print(line, soft_wrap=True)
            continue
        console.print(head.append_text(what))
        if why:
            console.print(Padding(why, (0, 0, 0, 2)), style="dim")
        if allow:  # not folded: a command that is copied is one line
            console.print(Text.assemble("  allow: ", allow), soft_wrap=True)


def _folded(events: list[Event]) -> Iterator[tuple[Event, int]]:
    """The first of what repeats itself, and how often it does: a loop of a tool's is one line."""

    def same(event: Event) -> tuple[str, ...]:
        return (event.run, event.layer, event.what, event.why)

    for _, group in groupby(events, same):
        found = list(group)
        yield found[0], len(found)
