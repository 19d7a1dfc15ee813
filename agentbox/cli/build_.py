"""agentbox build"""

from __future__ import annotations

import click

from agentbox import versions
from agentbox.cli import common


@click.command("build")
@common.agents_argument
@common.version_option
@common.ca_option
@click.option("--no-cache", is_flag=True, help="Repeat every step.")
def command(agents: tuple[str, ...], version_of: tuple[str, ...], ca_bundle: str | None, no_cache: bool) -> None:
    """Build the images of the named agents, or of all."""
    from agentbox import build
    from agentbox.engine import Engine

    asked = versions.parse_options(version_of)
    who, policies = common.load_all(agents, asked)
    with common.progress() as report:
        log = build.build(policies, who, Engine(), ca_option=ca_bundle, no_cache=no_cache, report=report)
    if asked:
        versions.remember(who, asked)
    for policy in policies:
        click.echo(f"{policy.agent} {policy.package.version}")
    click.echo(f"log: {log}", err=True)
