"""agentbox doctor"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from agentbox import __version__
from agentbox.cli import common, terminal
from agentbox.errors import one_line

if TYPE_CHECKING:
    from agentbox.doctor.finding import Finding

COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command("doctor")
@click.option("--fix", is_flag=True, help="Do what can do no harm: modes, missing directories, leftovers.")
@click.option("-q", "--quiet", is_flag=True, help="Only what is not in order.")
@common.json_option
def command(fix: bool, quiet: bool, as_json: bool) -> int:
    """Look at engine, kernel, images, state, configuration and credentials; say what is wrong and how to mend it.

    Works without an engine too. Ends with 1 if there is an error. Credentials are named, never shown.
    """
    from agentbox import doctor
    from agentbox.doctor.finding import OK, World

    with terminal.waiting("looking at this machine"):
        found = doctor.examine(World())
        done = doctor.repair(found) if fix else []
        if done:
            found = doctor.examine(World())
    shown = [finding for finding in found if not quiet or finding.level != OK]
    if as_json:
        click.echo(json.dumps(_data(shown, done), indent=2))
    else:
        for text in done:
            click.echo(f"fixed: {one_line(text)}")
        (_table if terminal.wide() else _lines)(shown)
        click.echo(_summary(found))
    return 1 if any(finding.level == "error" for finding in found) else 0


def _data(found: list[Finding], done: list[str]) -> dict[str, object]:
    rows = [
        {
            "id": each.id,
            "level": each.level,
            "what": each.what,
            "why": each.why,
            "fix": each.fix,
            "fixable": each.repair is not None,
        }
        for each in found
    ]
    return {"agentbox": __version__, "findings": rows, "fixed": done}


def _lines(found: list[Finding]) -> None:
    for each in found:
        click.echo(f"{each.level:8}{each.id}: {one_line(each.what)}")
        for name in ("why", "fix"):
            if text := getattr(each, name):
                click.echo(f"        {name}: {one_line(text)}")


def _table(found: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in found:
        what = Text(one_line(each.what))
        if each.why:
            what.append(f"\n{one_line(each.why)}", "dim")
        if each.fix:
            what.append("\nfix: ", "bold").append(one_line(each.fix), "cyan")
        table.add_row(Text(each.level, COLOURS[each.level]), Text(each.id, "bold"), what)
    terminal.console().print(table)


def _summary(found: list[Finding]) -> str:
    count = {level: sum(each.level == level for each in found) for level in COLOURS}
    fixable = sum(each.repair is not None and each.level != "ok" for each in found)
    more = f"; agentbox doctor --fix mends {fixable}" if fixable else ""
    shown = [f"{count[level]} {level}{'' if count[level] == 1 else 's'}" for level in ("error", "warning")]
    return f"{', '.join(shown)}, {count['ok']} in order{more}"
