"""agentbox completion"""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL, for example: source <(agentbox completion bash)"""
    from click.shell_completion import get_completion_class

    from agentbox.cli import root

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(root, {}, "agentbox", "_AGENTBOX_COMPLETE").source())
