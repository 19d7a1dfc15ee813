"""agentbox logs"""

from __future__ import annotations

import sys

import click

from agentbox.cli import common


@click.command("logs")
@click.argument("name", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the container ends.")
@click.option("-n", "--tail", type=click.IntRange(0), metavar="LINES", help="Only the last lines.")
def command(name: str | None, follow: bool, tail: int | None) -> None:
    """Show the output of a running container: of NAME (a container or an agent), or of the newest."""
    from agentbox.engine import Engine

    engine = Engine()
    for chunk in engine.logs(common.pick(engine, name)[0], follow=follow, tail=tail):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
