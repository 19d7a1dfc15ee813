"""agentbox shell"""

from __future__ import annotations

import os
import sys

import click

from agentbox import hostenv
from agentbox import identity as identities
from agentbox import policy as policies
from agentbox.cli import common
from agentbox.cli.run_ import Start
from agentbox.engine import AGENT, USER, WORKSPACE, find_docker, no_docker
from agentbox.identity import Identity
from agentbox.mask import Wish
from agentbox.policy_model import Policy
from agentbox.runtimes import Docker


@click.command("shell", cls=common.TailCommand)
@common.agent_argument
@common.folder_option
@common.mount_option
@common.network_option
@common.engine_option
@common.installed_option
@common.allow_home_option
@common.no_mask_option
@common.unmask_option
@common.quiet_option
def command(  # noqa: PLR0913, PLR0917  one parameter for each option
    agent: str,
    folders: tuple[str, ...],
    more: tuple[str, ...],
    network: str | None,
    engine: str | None,
    use_installed: bool,
    allow_home: bool,
    no_mask: bool,
    unmask: tuple[str, ...],
    tail: tuple[str, ...],
) -> int:
    """A shell, or the COMMAND after --, in the running session of AGENT for this folder, else in a new one.

    It has a tool's rights, not the agent's: the credentials are out of its reach.
    """
    policies.check_agent(agent)
    who = identities.current()
    mounts = common.mounts(folders, more, who, allow_home=allow_home)
    git = hostenv.start_git(who.home)
    policy = common.load(agent, who, None, mounts[0].source, network)
    runtime = common.runtime(engine, policy, who, use_installed=use_installed)
    words = list(tail) or ["bash"]
    if isinstance(runtime, Docker):
        labels = (f"{AGENT}={agent}", f"{USER}={who.tag}", f"{WORKSPACE}={mounts[0].source}")
        if running := runtime.engine.containers(*labels, everything=False):
            if no_mask or unmask:
                common.say("masks are made when a container starts; this one runs and keeps its own")
            return _join(running[0].name, words)
    elif (code := _join_native(policy, who, str(mounts[0].source), words)) is not None:
        return code
    return Start(policy, who, mounts, words, git, wish=Wish(no_mask, unmask)).run(runtime)


def _join_native(policy: Policy, who: Identity, folder: str, words: list[str]) -> int | None:
    """The command's exit code in the sandbox that runs already, None where there is none to join; says which."""
    from agentbox.native import join, seccomp

    running = join.find(who, policy.agent, folder)
    if running is None or (why := seccomp.missing()):
        reason = "no session runs here" if running is None else f"{running.name} cannot be joined safely: {why}"
        common.say(f"a new sandbox: {reason}")
        return None
    common.say(f"in {running.name}, which runs")
    return join.enter(running, policy, who, words)


def _join(name: str, words: list[str]) -> int:
    """Become `docker exec`: it does a terminal's size and modes better than we would."""
    docker = find_docker()
    if docker is None:
        raise no_docker()
    tty = ["-t"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    sys.stdout.flush()
    os.execv(docker, [docker, "exec", "-i", *tty, name, "agentbox-launch", "--tool", *words])
