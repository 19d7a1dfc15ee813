"""agentbox ps"""

from __future__ import annotations

import json

import click

from agentbox.cli import common


@click.command("ps")
@common.json_option
def command(as_json: bool) -> None:
    """List your containers and native sessions, of all agents."""
    from agentbox.engine import AGENT, WORKSPACE

    sessions = common.sessions()
    rows = [
        {
            "name": item.name,
            "agent": item.agent,
            "workspace": item.workspace,
            "status": "running, native",
            "created": item.started,
        }
        for item in sessions
    ]
    rows += [
        {
            "name": item.name,
            "agent": item.labels[AGENT],
            "workspace": item.labels.get(WORKSPACE, ""),
            "status": item.status,
            "created": item.created,
        }
        for item in common.containers()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    common.table(
        ("NAME", "AGENT", "STATUS", "WORKSPACE"), [(r["name"], r["agent"], r["status"], r["workspace"]) for r in rows]
    )
