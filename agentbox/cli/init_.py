"""agentbox init"""

from __future__ import annotations

import click

from agentbox import identity as identities


@click.command("init")
@click.option("--user", is_flag=True, help="Write your own configuration file instead, which may change anything.")
def command(user: bool) -> None:
    """Write a commented .agentbox.toml into this folder. What is there is not overwritten."""
    from agentbox import config_init

    click.echo(config_init.write(identities.current(), user=user))
