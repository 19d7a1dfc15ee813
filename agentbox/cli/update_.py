"""agentbox update"""

from __future__ import annotations

import click

from agentbox.cli import common, terminal


@click.command("update")
@common.agents_argument
@common.ca_option
@common.quiet_option
def command(agents: tuple[str, ...], ca_bundle: str | None) -> None:
    """Build the named agents, or all, in their newest versions, and use these from now on.

    `agentbox build --version-of AGENT=pinned` goes back to the version that agentbox was tested with.
    """
    from agentbox import build
    from agentbox.engine import Engine

    who, policies = common.load_all(agents)
    with common.progress() as report:
        found = build.update(policies, who, Engine(), ca_bundle, report)
    for policy in policies if not terminal.is_quiet() else ():
        old, new = policy.package.version, found[policy.agent]
        click.echo(f"{policy.agent} {new}" + ("" if old == new else f" (was {old})"))
