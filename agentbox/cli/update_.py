"""agentbox update"""

from __future__ import annotations

import click

from agentbox.cli import common, terminal


@click.command("update")
@common.agents_argument
@common.ca_option
@common.quiet_option
@click.option(
    "--engine", type=click.Choice(["docker", "native"]), default="docker", show_default=True,
    help="docker: build images. native: install into your cache.",
)  # fmt: skip
def command(agents: tuple[str, ...], ca_bundle: str | None, engine: str) -> None:
    """Build the named agents, or all, in their newest versions, and use these from now on.

    `agentbox build --version-of AGENT=pinned` goes back to the version that agentbox was tested with.
    """
    who, policies = common.load_all(agents)
    with common.progress() as report:
        if engine == "native":
            from agentbox import harness

            found = harness.update(policies, who, ca_bundle, report)
        else:
            from agentbox import build
            from agentbox.engine import Engine

            found = build.update(policies, who, Engine(), ca_bundle, report)
    for policy in policies if not terminal.is_quiet() else ():
        old, new = policy.package.version, found[policy.agent]
        click.echo(f"{policy.agent} {new}" + ("" if old == new else f" (was {old})"))
