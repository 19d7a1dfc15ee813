"""agentbox clean"""

from __future__ import annotations

import click

from agentbox import identity as identities


@click.command("clean")
def command() -> None:
    """Remove the containers and run directories of an agentbox that was killed. `run` does so too."""
    from agentbox import owner
    from agentbox.engine import Engine

    for name in owner.clean(Engine(), identities.current()):
        click.echo(name)
