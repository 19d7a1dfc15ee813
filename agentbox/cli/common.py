"""What several commands share: options, and the steps from words to a policy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentbox import gitdir, githooks, hostrun, mask, programs, runtimes, versions, workspace
from agentbox import identity as identities
from agentbox import policy as policies
from agentbox.cli import complete
from agentbox.cli.terminal import is_quiet, progress, quiet_option, say, table
from agentbox.errors import NoEngineError, UsageError, one_line
from agentbox.gitplan import Plan, steady
from agentbox.identity import Identity
from agentbox.mask import Mask, Wish
from agentbox.policy_model import Policy
from agentbox.runtimes import Runtime
from agentbox.workspace import Mount

if TYPE_CHECKING:
    from agentbox.audit import Records
    from agentbox.engine import Container, Engine
    from agentbox.native.sessions import Running

__all__ = ["progress", "quiet_option", "say", "table"]  # terminal's, which most commands need

DEFAULT_AGENT = "pi"
NAMED = 3  # masked files in the line about them; the rest is a number


class TailCommand(click.Command):
    """A command whose words after `--` are not its own: they come as `tail`, whatever they look like."""

    tail_metavar = "[-- ARGS]..."

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        cut = args.index("--") if "--" in args else len(args)
        ctx.params["tail"] = tuple(args[cut + 1 :])
        try:
            return super().parse_args(ctx, args[:cut])
        except click.BadParameter:
            raise
        except click.UsageError as error:
            if cut < len(args) or getattr(error, "possibilities", None):
                raise
            hint = "what is not agentbox's own comes after --"
            raise click.UsageError(f"{error.format_message()}\nHint: {hint}", ctx) from None

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), self.tail_metavar]


complete_agent = complete.agent
agent_argument = click.argument(
    "agent", required=False, envvar="SVC", default=DEFAULT_AGENT, shell_complete=complete_agent
)
agents_argument = click.argument("agents", nargs=-1, metavar="[AGENT]...", shell_complete=complete_agent)
folder_option = click.option(
    "-w", "--workspace", "folders", multiple=True, metavar="DIR", shell_complete=complete.directory,
    help="The folder to work in (default: WORKDIR, else the current one). More of them become /workspace-2 and so on.",
)  # fmt: skip
mount_option = click.option(
    "--mount",
    "more",
    multiple=True,
    metavar="DIR[:ro]",
    help="A further folder, read-only with :ro.",
    shell_complete=complete.directory,
)
allow_home_option = click.option("--allow-home", is_flag=True, help="Accept / or your home as the folder to work in.")
no_mask_option = click.option(
    "--no-mask", is_flag=True, help="Show secrets in the folders (.env and the like), which are masked otherwise."
)
unmask_option = click.option(
    "--unmask",
    multiple=True,
    metavar="GLOB",
    help="Do not mask what is called so, or lies at this path.",
    shell_complete=complete.file,
)
version_option = click.option(
    "--version-of", "version_of", multiple=True, metavar="AGENT=VERSION",
    help="Use this version from now on; `pinned` for the one agentbox was tested with.",
    shell_complete=complete.version,
)  # fmt: skip
ca_option = click.option(
    "--ca-bundle",
    metavar="FILE",
    help="Extra certificates (PEM) that the images shall trust.",
    shell_complete=complete.file,
)
network_option = click.option(
    "--network", type=click.Choice(["allowlist", "open", "none"]),
    help="allowlist (default): through the broker, to allowed hosts. open: the engine's bridge, with keys inside.",
)  # fmt: skip
engine_option = click.option(
    "--engine", type=click.Choice(["auto", "docker", "native"]), envvar="AGENTBOX_ENGINE",
    help="docker: a container. native: no engine, bubblewrap and Landlock. auto (default): docker where one answers.",
)  # fmt: skip
installed_option = click.option(
    "--use-installed", is_flag=True, help="Native engine: the agent that is on PATH, in place of agentbox's own copy."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def mounts(folders: tuple[str, ...], more: tuple[str, ...], who: Identity, *, allow_home: bool) -> list[Mount]:
    """The folders of a command line, checked."""
    first = folders or (os.environ.get("WORKDIR") or ".",)
    wanted = [(folder, False) for folder in first] + [workspace.split_option(item) for item in more]
    found = workspace.resolve(wanted, who, allow_home=allow_home)
    programs.leave_out(mount.source for mount in found if not mount.read_only)
    for line in workspace.at_odds(found):
        say(line)
    return found


def check_steady(folders: list[Mount], others: list[set[str]]) -> None:
    """Raise UsageError for a folder that a running sandbox could exchange for a link to any other of the host, between
    our look at it and its mount. `others` is what each of them has mounted."""
    for source in [mount.source for mount in folders if not steady(mount.source, others)]:
        cause = "lies in a folder that a running session has: its tools could put a link to anything in its place"
        raise UsageError(one_line(str(source)), cause, "end that session first (agentbox ps), or work in its folder")


def runtime(wanted: str | None, policy: Policy, who: Identity, *, use_installed: bool = False) -> Runtime:
    """The engine that a command line, else a configuration asks for. Raises UsageError where it has its own agents."""
    found = runtimes.choose(wanted or policy.engine, who, say, use_installed=use_installed or policy.use_installed)
    if use_installed and isinstance(found, runtimes.Docker):
        raise UsageError("--use-installed", "an image has an agent of its own", "add --engine native")
    return found


def masks(policy: Policy, folders: list[Mount], who: Identity, wish: Wish, *, can: bool = True) -> list[Mask]:
    """What is to be covered in the folders of a container that is about to start; says so, or that it `can` not be."""
    found = mask.find(policy.mask, folders, who, wish)
    if found.names:
        more = f" and {len(found.names) - NAMED} more" if len(found.names) > NAMED else ""
        done, cure = ("masked", " (--unmask GLOB shows them)") if can else ("not masked, and to be read inside:", "")
        say(f"{done} {', '.join(found.names[:NAMED])}{more}{cure}")
    for glob in found.idle:
        say(f"--unmask {one_line(glob)}: matches nothing that is masked")
    return found.places


def git(policy: Policy, folders: list[Mount], who: Identity, others: list[set[str]]) -> tuple[Plan, hostrun.State]:
    """What a container that is about to start needs of git, and the folders' state before it; says what is unusual.
    `others` is what running ones have mounted."""
    plan = gitdir.linked(folders, who, others)
    before = hostrun.look([*folders, *plan.mounts])
    if policy.hooks == "read":
        githooks.protect(plan, folders, before.repositories, others)
    for line in plan.lines:
        say(line)
    return plan, before


def tell_changes(before: hostrun.State, folders: list[Mount]) -> None:
    """After a session: what it changed that the host runs later."""
    for line in hostrun.report(before, folders):
        say(line)


def tell_refused(records: Records, who: Identity) -> None:
    """After a session: the hosts that it asked for and did not get."""
    if not is_quiet() and records.any_egress():
        from agentbox import audit_events

        if line := audit_events.refused(records, who):
            say(line)


def load(
    agent: str,
    who: Identity,
    asked: dict[str, str] | None = None,
    folder: Path | None = None,
    network: str | None = None,
) -> Policy:
    """The merged policy of one agent, in the version in effect."""
    policy = versions.apply(policies.load(agent, who.config_file, folder), who, asked or {})
    return policy._replace(network=policy.network._replace(mode=network)) if network else policy


def load_all(agents: tuple[str, ...], asked: dict[str, str] | None = None) -> tuple[Identity, list[Policy]]:
    """The policies of the named agents, or of all."""
    names = agents or policies.agent_names()
    for name in names:
        policies.check_agent(name)
    who = identities.current()
    return who, [load(name, who, asked) for name in dict.fromkeys(names)]


def sessions(name: str | None = None) -> list[Running]:
    """The native sessions that run: those of `name` (a session's, or an agent's), or all."""
    from agentbox.native import sessions as native

    return [each for each in native.running(identities.current()) if name in (None, each.name, each.agent)]


def containers() -> list[Container]:
    """The user's containers; none, with a line about it, where no engine answers."""
    return asked()[1]


def own() -> tuple[str, str]:
    """The labels of the user's containers: others of the docker group have theirs on the same engine."""
    from agentbox.engine import AGENT, USER

    return AGENT, f"{USER}={identities.current().tag}"


def engine_if_any() -> Engine | None:
    """The engine; None where there is none, or none that answers, which a line says: what it holds stays."""
    return asked()[0]


def asked() -> tuple[Engine | None, list[Container]]:
    """The engine and the user's containers on it, asked for at once: `engine_if_any` and `containers` in one."""
    from agentbox.engine import Engine, find_docker

    if not (find_docker() or os.environ.get("DOCKER_HOST")):
        return None, []
    engine = Engine()
    try:
        return engine, engine.containers(*own())
    except NoEngineError as error:
        say(f"containers were not looked at: {error}")
        return None, []


def named(found: list[Container], name: str | None) -> list[str]:
    """The containers meant by `name` (a container's, or an agent's), newest first; all where it is None."""
    from agentbox.engine import AGENT

    return [item.name for item in found if name is None or name in (item.name, item.labels[AGENT])]
