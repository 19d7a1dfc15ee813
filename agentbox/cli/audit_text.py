"""The timeline for people: a line an event in a pipe, a few that fit its width on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import groupby

import click
from rich.padding import Padding
from rich.text import Text

from agentbox.audit_events import Event
from agentbox.cli import terminal
from agentbox.errors import one_line

COLOURS = {"egress": "yellow", "vault": "red", "guard": "magenta", "mask": "blue"}
AGENT, LAYER = 8, 6  # widths


def show(events: list[Event]) -> None:
    import sys

    console = terminal.console()
    for event, times in _folded(events):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.time))
        what = one_line(event.what) + (f", {times} times" if times > 1 else "")
        why, allow = one_line(event.why), one_line(event.allow)
        if not sys.stdout.isatty() and not terminal.colours(sys.stdout):
            rest = (f" ({why})" if why else "") + (f"  allow: {allow}" if allow else "")
            click.echo(f"{when}  {event.agent:{AGENT}}  {event.layer:{LAYER}}  {what}{rest}")
            continue
        head = Text.assemble(
            (when, "dim"), f"  {event.agent:{AGENT}}  ", (f"{event.layer:{LAYER}}", COLOURS[event.layer])
        )
        console.print(head, Text(what, overflow="fold"))
        if why:
            console.print(Padding(Text(why, "dim", overflow="fold"), (0, 0, 0, 2)))
        if allow:  # not folded: a command that is copied is one line
            console.print(Text.assemble("  allow: ", (allow, "cyan")), soft_wrap=True)


def _folded(events: list[Event]) -> Iterator[tuple[Event, int]]:
    """The first of what repeats itself, and how often it does: a loop of a tool's is one line."""

    def same(event: Event) -> tuple[str, ...]:
        return (event.run, event.layer, event.what, event.why)

    for _, group in groupby(events, same):
        found = list(group)
        yield found[0], len(found)
