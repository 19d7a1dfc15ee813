"""The command line. A command parses, calls the library and prints; its module is imported when it is called."""

from __future__ import annotations

import gc
import importlib
import sys

import click

from agentbox import __version__, programs
from agentbox.cli import streams
from agentbox.errors import AgentboxError

COMMANDS = {
    "run": "Run an agent in a container.",
    "shell": "Open a shell beside an agent.",
    "setup": "Run an agent to change its own settings, extensions or plugins.",
    "allow": "Let agents reach a further host.",
    "audit": "List what was denied or masked, and what would allow it.",
    "build": "Build the agents' images.",
    "update": "Build the agents in their newest versions.",
    "ps": "List the containers.",
    "logs": "Show a container's output.",
    "stop": "Stop containers.",
    "clean": "Remove what a killed agentbox left behind.",
    "purge": "Remove the images, and with --state the agents' state.",
    "agents": "List the agents.",
    "verify": "Attack your own containers, and say what got through.",
    "doctor": "Look for what keeps agents from running, or from being contained.",
    "config": "Print the configuration in effect, or check a file.",
    "init": "Write a commented configuration file.",
    "compose": "Print the compose model in effect.",
    "completion": "Print a shell's completion script.",
}
NAMES_LINE = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(click.Group):
    """A group whose commands are modules of this package, imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"agentbox.cli.{cmd_name}_").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table above: --help imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from agentbox.errors import nearest

            if args and (meant := nearest(args[0], list(COMMANDS))):
                raise click.UsageError(f"{error.message} Did you mean {meant}?", ctx) from None
            raise


@click.group(cls=LazyGroup, context_settings=NAMES_LINE)
@click.version_option(__version__, prog_name="agentbox")
def root() -> None:
    """Run coding agents in a container in which the tools they start cannot reach their credentials.

    In a project's folder: agentbox run pi
    """


def main() -> None:
    """The entry point. The only place where an error becomes a message and an exit code."""
    gc.set_threshold(50_000)  # modules stay, and searching them for garbage took a tenth of a start
    streams.open_closed()
    streams.write_out_unencodable()
    programs.leave_out(programs.here())
    try:
        code = root.main(prog_name="agentbox", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        code = 130
    except KeyboardInterrupt:
        code = 130
    except click.ClickException as error:
        with streams.last_words():
            error.show()
        code = error.exit_code
    except AgentboxError as error:
        with streams.last_words():
            print(error.lines(), file=sys.stderr)
        code = error.exit_code
    except (BrokenPipeError, SystemExit):  # the latter is click's word for the former
        if not streams.unread():
            raise
        streams.drop(1)
        code = 141
    except OSError as error:
        if (known := streams.of_a_file(error)) is None:
            raise
        with streams.last_words():
            print(known.lines(), file=sys.stderr)
        code = known.exit_code
    gc.freeze()  # or the interpreter would search all of it once more
    sys.exit(code if isinstance(code, int) else 0)
