"""agentbox logs"""

from __future__ import annotations

import sys

import click

from agentbox.cli import common, complete, terminal


@click.command("logs")
@click.argument("name", required=False, shell_complete=complete.container)
@click.option("-f", "--follow", is_flag=True, help="Go on until the container ends.")
@click.option("-n", "--tail", type=click.IntRange(0), metavar="LINES", help="Only the last lines.")
@click.option("--raw", is_flag=True, help="Byte for byte, control characters and all.")
def command(name: str | None, follow: bool, tail: int | None, raw: bool) -> None:
    """Show the output of a running container: of NAME (a container or an agent), or of the newest. A native session has
    none: it writes to its own terminal.

    Control characters are written out (\\x1b), so that what an agent printed does not steer this terminal; --raw leaves
    them.
    """
    from agentbox.errors import UsageError

    engine, running = common.asked()
    found = common.named(running, name)
    if engine is None or not found:
        if sessions := common.sessions(name):
            cause = "a native session writes to the terminal it was started on, and nobody keeps a copy"
            raise UsageError(sessions[0].name, cause, "redirect its output when you start it, or use --engine docker")
        cause = "nothing of that name is running" if name else "none of yours is running"
        raise UsageError(name or "containers", cause, "agentbox ps lists what runs")
    chunks = engine.logs(found[0], follow=follow, tail=tail)
    if not raw:
        terminal.show_output(chunks)
        return
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
