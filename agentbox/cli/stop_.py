"""agentbox stop"""

from __future__ import annotations

import click

from agentbox.cli import common, complete


@click.command("stop")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete.container)
@click.option("--all", "everything", is_flag=True, help="Stop all of yours.")
def command(names: tuple[str, ...], everything: bool) -> None:
    """Stop containers and native sessions, named by their own name or their agent's."""
    from agentbox.errors import UsageError
    from agentbox.forwarder import STOP_SECONDS
    from agentbox.native.sessions import stop

    if not names and not everything:
        raise click.UsageError("Name a container or an agent, or use --all.")
    left = [name for name in names if not common.sessions(name)]
    sessions = {each.name: each for name in (names or (None,)) for each in common.sessions(name)}
    for name, session in sessions.items():
        stop(session)
        click.echo(name)
    if not left and not (everything and common.containers()):
        return
    if (engine := common.engine_if_any()) is None:
        raise UsageError(left[0], "nothing of that name is running", "agentbox ps lists what runs")
    wanted = [found for name in (left or (None,)) for found in common.pick(engine, name)]
    for name in dict.fromkeys(wanted):
        engine.stop(name, STOP_SECONDS)
        click.echo(name)
