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
    wanted = names or (None,)
    native = {name: common.sessions(name) for name in wanted}
    for session in {each.name: each for found in native.values() for each in found}.values():
        stop(session)
        click.echo(session.name)
    engine, running = common.asked()
    contained = {name: common.named(running, name) for name in wanted}
    for name in names:
        if not native[name] and not contained[name]:
            raise UsageError(name, "nothing of that name is running", "agentbox ps lists what runs")
    for container in dict.fromkeys(each for found in contained.values() for each in found):
        engine.stop(container, STOP_SECONDS)  # type: ignore[union-attr]  # else no container
        click.echo(container)
