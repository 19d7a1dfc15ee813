"""agentbox run"""

from __future__ import annotations

import os
import sys

import click

from agentbox import hostenv, images, session, state, versions
from agentbox import identity as identities
from agentbox import policy as policies
from agentbox.cli import common
from agentbox.engine import Engine, Facts
from agentbox.errors import UsageError


@click.command("run", cls=common.TailCommand)
@common.agent_argument
@common.folder_option
@common.mount_option
@click.option("-e", "--env", "extra", multiple=True, metavar="NAME[=VALUE]", help="A variable for the agent.")
@click.option("--dashboard", is_flag=True, help="Run the agent's dashboard instead, on this machine's loopback.")
@common.allow_home_option
@common.version_option
@click.option("--rebuild", is_flag=True, help="Build the image first even if it is up to date.")
def command(  # noqa: PLR0913, PLR0917  one parameter for each option
    agent: str,
    folders: tuple[str, ...],
    more: tuple[str, ...],
    extra: tuple[str, ...],
    dashboard: bool,
    allow_home: bool,
    version_of: tuple[str, ...],
    rebuild: bool,
    tail: tuple[str, ...],
) -> int:
    """Run AGENT (default: SVC, else pi) in a container; what follows -- goes to the agent.

    Builds its image first where that is missing or older than this agentbox. The exit code is the agent's; 125 means
    that agentbox failed.
    """
    policies.check_agent(agent)
    who = identities.current()
    git = hostenv.start_git(who.home)
    mounts = common.mounts(folders, more, who, allow_home=allow_home)
    asked = versions.parse_options(version_of)
    policy = common.load(agent, who, asked, mounts[0].source)
    ports = [port.name for port in policy.ports if dashboard and port.name == "dashboard"]
    if dashboard and not ports:
        raise UsageError(agent, "has no dashboard", "--dashboard is for hermes")
    environment, private = hostenv.environment(policy, os.environ, hostenv.git_identity(git), list(extra))
    engine = Engine()
    facts = prepare(policy, who, engine, asked, rebuild=rebuild)
    request = session.Request(
        policy=policy,
        identity=who,
        mounts=mounts,
        command=[*policy.command.argv, *ports, *tail],  # a port is named after the command that serves it
        environment=environment,
        private=private,
        cpus=facts.cpus,
        ports=ports,
    )
    sys.stdout.flush()
    return session.run(request, engine)


def prepare(
    policy: policies.Policy, who: identities.Identity, engine: Engine, asked: dict[str, str], *, rebuild: bool
) -> Facts:
    """Image and state directories, as a container of `policy` needs them."""
    facts = engine.facts()
    if rebuild or images.stale(engine, images.recipes(policy, who, facts)[1]):
        from agentbox import build

        with common.progress() as report:
            build.build([policy], who, engine, report=report)
    if asked:
        versions.remember(who, asked)
    state.prepare(policy, who)
    return facts
