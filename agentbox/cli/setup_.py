"""agentbox setup"""

from __future__ import annotations

import click

from agentbox import hostenv
from agentbox import identity as identities
from agentbox import policy as policies
from agentbox.cli import common
from agentbox.cli.run_ import Start


@click.command("setup", cls=common.TailCommand)
@common.agent_argument
@common.network_option
@common.quiet_option
@common.engine_option
@common.installed_option
def command(agent: str, network: str | None, engine: str | None, use_installed: bool, tail: tuple[str, ...]) -> int:
    """Run AGENT on no folder of yours, to change what its later sessions run: settings, extensions, hooks, plugins.

    In `agentbox run` the agent's tools may read those but not change them. Here they may, and no folder is mounted:
    /workspace is empty and gone at the end. Credentials stay out of the tools' reach.

    For example: agentbox setup pi -- install npm:some-extension
    """
    policies.check_agent(agent)
    who = identities.current()
    git = hostenv.start_git(who.home)
    policy = policies.for_setup(common.load(agent, who, network=network))
    runtime = common.runtime(engine, policy, who, use_installed=use_installed)
    return Start(policy, who, [], [*policy.command.argv, *tail], git).run(runtime)
