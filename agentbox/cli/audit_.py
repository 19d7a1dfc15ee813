"""agentbox audit"""

from __future__ import annotations

import json

import click

from agentbox import audit
from agentbox import identity as identities
from agentbox.cli import common

COLUMNS = ("time", "agent", "host", "port", "rule", "reason")


@click.command("audit")
@click.option("--agent", metavar="AGENT", help="Of this agent only.", shell_complete=common.complete_agent)
@common.json_option
def command(agent: str | None, as_json: bool) -> None:
    """List the requests that the broker refused, oldest first. `agentbox allow HOST` allows one."""
    found = audit.decisions(identities.current(), agent)
    if as_json:
        for line in found:
            click.echo(json.dumps(line))  # escapes control characters
        return
    rows: list[tuple[object, ...]] = [tuple(line.get(name, "") for name in COLUMNS) for line in found]
    common.table(tuple(name.upper() for name in COLUMNS), rows)
