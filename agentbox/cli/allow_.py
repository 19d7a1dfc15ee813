"""agentbox allow"""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from agentbox import allowed, hosts
from agentbox import identity as identities
from agentbox.cli import common, complete
from agentbox.errors import UsageError, one_line
from agentbox.identity import Identity
from agentbox.policy import check_agent


@click.command("allow")
@click.argument("names", nargs=-1, metavar="[HOST[:PORT]]...", shell_complete=complete.host)
@click.option("--agent", metavar="AGENT", default="", help="For this agent only.", shell_complete=common.complete_agent)
@click.option("--here", is_flag=True, help="For the current folder (or WORKDIR) only.")
@click.option("--private", is_flag=True, help="Although its address is not public: a server in your own network.")
@click.option("--remove", is_flag=True, help="Take it back, for later runs: everywhere, or as --agent and --here say.")
def command(names: tuple[str, ...], agent: str, here: bool, private: bool, remove: bool) -> None:
    """Let agents reach HOST: at once where one runs, and from now on. Without HOST, list what was allowed so.

    HOST is example.org, *.example.org (what is below it), an address, or host.docker.internal (this machine). Its ports
    are 443 and 80 unless one is named; :* means any. It is kept beside your configuration, never in the folder.
    """
    who = identities.current()
    if agent:
        check_agent(agent)
    if not names:
        if remove:
            raise UsageError("--remove", "needs a host", "`agentbox allow` lists what was allowed")
        _show(allowed.entries(allowed.path(who)))
        return
    for host in names:
        if remove:
            _remove(who, host, agent, _here() if here else "")
            continue
        if host == "*":
            raise UsageError(host, "would allow everything", "for one session: agentbox run --network open")
        if "://" in host:
            name = re.split("[/?#]", host.partition("://")[2])[0]
            raise UsageError(host, "is an address of the web", f"name its host: agentbox allow {name}")
        entry = allowed.Entry(host, private, agent, _here() if here else "")
        allowed.add(who, entry)
        told = allowed.tell_brokers(who, entry)
        running = f"; {len(told)} running now" if told else ""
        if hosts.sounds_private(hosts.parse(host, private=private)):
            common.say(f"{host} sounds private: where its address is, it is refused without --private")
        click.echo(f"{_said(entry)}{running}", err=True)


def _remove(who: Identity, host: str, agent: str, workspace: str) -> None:
    gone = allowed.remove(who, host, agent, workspace)
    if not gone:
        raise UsageError(host, "is not among what was allowed", "`agentbox allow` lists it")
    for entry in gone:
        click.echo(f"no longer {_said(entry)}", err=True)


def _said(entry: allowed.Entry) -> str:
    place = f" in {one_line(entry.workspace)}" if entry.workspace else ""
    return f"{entry.host} for {entry.agent or 'all agents'}{place}"


def _here() -> str:
    text = os.environ.get("WORKDIR") or "."
    try:
        return str(Path(text).resolve())
    except FileNotFoundError:  # the current folder: of others that are gone, what was allowed can be taken back
        raise UsageError(text, "there is no such folder") from None


def _show(entries: list[allowed.Entry]) -> None:
    rows: list[tuple[object, ...]] = [
        (each.host, each.agent or "all", "yes" if each.private else "", each.workspace or "everywhere")
        for each in entries
    ]
    common.table(("HOST", "AGENT", "PRIVATE", "FOLDER"), rows)
