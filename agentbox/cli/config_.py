"""agentbox config"""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from agentbox import identity as identities
from agentbox.cli import common, complete
from agentbox.errors import USAGE


class ShownByDefault(click.Group):
    """`config pi` is `config show pi`: a first word that is no command is an argument of the usual one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["show", *args] if own else args)


@click.group("config", cls=ShownByDefault, subcommand_metavar="[AGENT] | COMMAND [ARGS]...")
def command() -> None:
    """Print the configuration in effect; check a file; describe the format to an editor.

    `agentbox config pi --origin` says where each value comes from.
    """


@command.command("show")
@common.agent_argument
@click.option(
    "-w",
    "--workspace",
    "folder",
    metavar="DIR",
    help="The folder to look at (default: WORKDIR, else this).",
    shell_complete=complete.directory,
)
@click.option("--origin", is_flag=True, help="Say behind each value which file sets it, and on which line.")
@common.json_option
def show(agent: str, folder: str | None, origin: bool, as_json: bool) -> None:
    """Print the configuration of AGENT (default: SVC, else pi) in this folder, all files merged."""
    from agentbox import config_show, workspace

    place = workspace.folder(folder or os.environ.get("WORKDIR") or ".")
    sections = config_show.effective(agent, identities.current(), place)
    if as_json:
        click.echo(json.dumps({"agent": agent, **config_show.as_data(sections)}, indent=2))
    else:
        click.echo(config_show.as_toml(sections, origin=origin), nl=False)


@command.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def check(file: Path | None) -> int:
    """Say all that is wrong in FILE (default: your configuration), with lines; ends with 2 if anything is.

    A FILE called .agentbox.toml is judged as a project's, which may only tighten.
    """
    from agentbox import config_check

    who = identities.current()
    if file is None and not who.config_file.exists():
        common.say(f"{who.config_file}: there is none, so what agentbox ships is in effect")
        return 0
    file = file or who.config_file
    found = config_check.problems(file, who)
    for error in found:
        click.echo(error.lines(), err=True)
    return USAGE if found else 0


@command.command("schema")
@click.option("--workspace", is_flag=True, help="Of a project's .agentbox.toml.")
def schema(workspace: bool) -> None:
    """Print the JSON Schema of the configuration file, for editors that complete and check TOML."""
    from agentbox import config_schema

    click.echo(config_schema.render_workspace() if workspace else config_schema.render_user(), nl=False)
