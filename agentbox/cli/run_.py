"""agentbox run"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field

import click

from agentbox import credentials, egress, hostenv, state, versions
from agentbox import identity as identities
from agentbox import policy as policies
from agentbox.cli import common, complete
from agentbox.errors import UsageError
from agentbox.mask import Wish
from agentbox.native.environment import filled
from agentbox.request import Request
from agentbox.runtimes import Runtime
from agentbox.workspace import Mount


@click.command("run", cls=common.TailCommand)
@common.agent_argument
@common.folder_option
@common.mount_option
@click.option(
    "-e",
    "--env",
    "extra",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="A variable for the agent.",
    shell_complete=complete.variable,
)
@common.network_option
@common.engine_option
@common.installed_option
@click.option("--dashboard", is_flag=True, help="Run the agent's dashboard instead, on this machine's loopback.")
@click.option("--login", is_flag=True, help="Publish, on this machine's loopback, the ports where logins are answered.")
@common.allow_home_option
@common.no_mask_option
@common.unmask_option
@common.version_option
@click.option("--rebuild", is_flag=True, help="Build the image first even if it is up to date.")
@common.quiet_option
def command(  # noqa: PLR0913, PLR0917  one parameter for each option
    agent: str,
    folders: tuple[str, ...],
    more: tuple[str, ...],
    extra: tuple[str, ...],
    network: str | None,
    engine: str | None,
    use_installed: bool,
    dashboard: bool,
    login: bool,
    allow_home: bool,
    no_mask: bool,
    unmask: tuple[str, ...],
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
    mounts = common.mounts(folders, more, who, allow_home=allow_home)
    git = hostenv.start_git(who.home)
    asked = versions.parse_options(version_of)
    for other in asked.keys() - {agent}:
        raise UsageError(f"--version-of {other}", f"this is a run of {agent}", f"agentbox build --version-of {other}=…")
    if use_installed and agent in asked:
        raise UsageError("--use-installed", "takes the version that is there", "leave --version-of out")
    policy = common.load(agent, who, asked, mounts[0].source, network)
    ports = [port.name for port in policy.ports if dashboard and port.name == "dashboard"]
    if dashboard and not ports:
        raise UsageError(agent, "has no dashboard", "--dashboard is for hermes")
    words = [*policy.command.argv, *ports, *tail]  # a port is named after the command that serves it
    ports += login_ports(policy) if login else []
    start = Start(policy, who, mounts, words, git, list(extra), ports, asked, rebuild, Wish(no_mask, unmask))
    return start.run(common.runtime(engine, policy, who, use_installed=use_installed))


def login_ports(policy: policies.Policy) -> list[str]:
    """The names of the ports where a browser brings the answers of providers."""
    found = [port.name for port in policy.ports if port.for_login]
    if not found:
        raise UsageError(policy.agent, "has no port for logins", "paste the code that the browser shows")
    return found


@dataclass(frozen=True, slots=True)
class Start:
    """A new container, as `run`, `shell` and `setup` ask for it. `git` is what hostenv.start_git began."""

    policy: policies.Policy
    who: identities.Identity
    mounts: list[Mount]
    words: list[str]
    git: subprocess.Popen[bytes] | None
    extra: list[str] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)
    rebuild: bool = False
    wish: Wish = field(default_factory=Wish)

    def run(self, runtime: Runtime) -> int:
        """Build what is missing, run it to its end, and return its exit code."""
        runtime.check(self.mounts)
        identity = hostenv.git_identity(self.git)
        keys = credentials.find(self.policy, self.who, os.environ, self.extra)
        environment, private = hostenv.environment(self.policy, os.environ, identity, self.extra, keys)
        if self.policy.network.mode == "open" and keys.values:
            names, what = ", ".join(keys.values), "keys themselves are" if len(keys.values) > 1 else "key itself is"
            common.say(f"{names}: the {what} inside: network open has no broker to exchange placeholders")
        if self.policy.network.mode == "allowlist":
            for line in egress.unserved(self.policy, keys, filled(environment, private, os.environ)):
                common.say(line)
        runtime.prepare(self.policy, self.who, common.progress, rebuild=self.rebuild)
        if self.asked:
            versions.remember(self.who, self.asked)
        state.prepare(self.policy, self.who)
        others = runtime.others()
        common.check_steady(self.mounts, others)
        plan, before = common.git(self.policy, self.mounts, self.who, others)
        folders = [*self.mounts, *plan.mounts]
        sys.stdout.flush()
        request = Request(
            policy=self.policy,
            identity=self.who,
            mounts=self.mounts,
            command=self.words,
            environment=environment,
            private=private,
            ports=self.ports,
            keys=keys,
            git=plan,
            masks=common.masks(self.policy, folders, self.who, self.wish, can=runtime.masks()),
            ended=lambda records: common.tell_refused(records, self.who),
        )
        try:
            return runtime.run(request)
        finally:
            common.tell_changes(before, folders)
