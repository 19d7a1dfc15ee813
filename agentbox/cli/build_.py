"""agentbox build"""

from __future__ import annotations

import click

from agentbox import versions
from agentbox.cli import common, terminal


@click.command("build")
@common.agents_argument
@common.version_option
@common.ca_option
@click.option("--no-cache", is_flag=True, help="Repeat every step.")
@common.quiet_option
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
    for policy in policies if not terminal.is_quiet() else ():
        click.echo(f"{policy.agent} {policy.package.version}")
    common.say(f"the log is {log}")
