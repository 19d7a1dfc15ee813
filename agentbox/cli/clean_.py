"""agentbox clean"""

from __future__ import annotations

import click

from agentbox.cli import common


@click.command("clean")
def command() -> None:
    """Remove what an agentbox that was killed left behind, and installed agents that are out of use.

    Containers and run directories go, which `run` sees to as well; downloads and half-installed agents; versions in
    the cache that are not in effect and that nobody has started for a month; and brokers of other agentbox versions.
    """
    from agentbox import owner
    from agentbox.harness import cache
    from agentbox.native import broker

    who, policies = common.load_all(())
    for path in cache.clean(who, {policy.agent: policy.package.version for policy in policies}):
        click.echo(path)
    for path in broker.clean(who):
        click.echo(path)
    for name in owner.clean(common.engine_if_any(), who):
        click.echo(name)
