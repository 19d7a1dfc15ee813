"""agentbox agents"""

from __future__ import annotations

import json

import click

from agentbox.cli import common


@click.command("agents")
@common.json_option
def command(as_json: bool) -> None:
    """List the agents, their versions, and where their state is kept."""
    who, policies = common.load_all(())
    rows = [
        {
            "agent": policy.agent,
            "title": policy.title,
            "package": policy.package.name,
            "version": policy.package.version,
            "state": [str(who.home / item.host) for item in policy.state],
            "homepage": policy.homepage,
        }
        for policy in policies
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    common.table(
        ("AGENT", "VERSION", "PACKAGE", "STATE"),
        [
            (r["agent"], r["version"], r["package"], " ".join(f"~/{s.host}" for s in p.state))
            for r, p in zip(rows, policies, strict=True)
        ],
    )
