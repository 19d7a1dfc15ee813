"""agentbox audit"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from agentbox import identity as identities
from agentbox.cli import common, complete, terminal

if TYPE_CHECKING:
    from agentbox.audit_events import Event

POLL_SECONDS = 0.5
CLAIMED = "vault and guard lines are written inside the container, where a tool may write what it likes"


@click.command("audit")
@click.option(
    "--agent", "agents", multiple=True, metavar="AGENT", help="Of this agent only; repeatable.",
    shell_complete=complete.agent,
)  # fmt: skip
@click.option(
    "--since", metavar="WHEN", help="From then on: 10m, 2h, 3d, 2026-11-25 or 2026-11-25T10:00.",
    shell_complete=complete.words("10m", "1h", "1d", "7d"),
)  # fmt: skip
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@terminal.quiet_option
@common.json_option
def command(agents: tuple[str, ...], since: str | None, follow: bool, as_json: bool) -> None:
    """List what was denied to agents and their tools, or masked, oldest first, with what would allow it.

    egress: a request that the broker refused. vault: a file kept from a tool, as far as its libc layer saw it (what the
    kernel alone refused is written down nowhere). guard: a call of an agent's own tool. mask: what a run covered.

    --json prints one object a line; `claimed` is true for what was written inside the container.
    """
    from agentbox import audit_events, moments
    from agentbox.policy import check_agent

    for name in agents:
        check_agent(name)
    start = 0.0 if since is None else moments.parse("--since", since, time.time())
    timeline = audit_events.Timeline(identities.current(), agents, start)
    printer = Printer(as_json)
    printer.show(timeline.read(), timeline.gaps())
    if not follow and not printer.shown:
        terminal.say("nothing was denied or masked")
    while follow:
        time.sleep(POLL_SECONDS)
        printer.show(timeline.read(), timeline.gaps())


class Printer:
    """Events to stdout, and each remark about them once to stderr."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.shown = 0
        self._told: set[str] = set()

    def show(self, events: list[Event], gaps: list[str]) -> None:
        self.shown += len(events)
        if self.as_json:
            for event in events:
                click.echo(json.dumps(event.as_data()))  # escapes all that is not ASCII
        elif events:
            from agentbox.cli import audit_text

            audit_text.show(events)
        sys.stdout.flush()
        claimed = not self.as_json and any(event.claimed for event in events)
        for line in [*([CLAIMED] if claimed else []), *gaps]:
            if line not in self._told:
                terminal.say(line)
            self._told.add(line)
