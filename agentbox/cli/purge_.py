"""agentbox purge"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import click

from agentbox.cli import common, terminal
from agentbox.errors import StateError


@click.command("purge")
@click.option(
    "--state", is_flag=True, help="Also remove the agents' state in your home: settings, history, credentials."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask before --state removes anything.")
def command(state: bool, yes: bool) -> None:
    """Remove your images and the agents in your cache, which a run makes again. The agents' state stays unless --state
    says otherwise; your configuration and agentbox's own records stay.
    """
    from agentbox.compose import tag
    from agentbox.engine import INPUTS, find_docker
    from agentbox.harness import cache

    who, policies = common.load_all(())
    engine = common.engine_if_any()
    ours = {f"{tag(who, name)}:latest" for name in ("base", "egress", *(policy.agent for policy in policies))}
    images = [name for name in engine.images(INPUTS) if name in ours] if engine else []
    folders = [who.home / item.host for policy in policies for item in policy.state] if state else []
    folders = [folder for folder in folders if folder.is_dir()]
    if not yes and folders:
        click.echo("\n".join(map(_shown, folders)), err=True)
        click.confirm("Remove these folders with the credentials in them?", abort=True, err=True)
    for name in sorted(images, key=lambda name: name.endswith("-base:latest")):
        with terminal.waiting(f"removing {name}"):
            engine.remove_image(name)  # type: ignore[union-attr]  # else no image
        click.echo(name)
    with terminal.waiting(f"removing {who.own_cache}"):
        cached = cache.purge(who)
    if cached:
        click.echo(cached)
    kept = [error for folder in folders for error in _remove(folder)]
    if kept:
        raise kept[0]
    if engine is None and find_docker():
        common.say("images, if it has any, stay: purge again when the engine answers")


def _shown(folder: Path) -> str:
    return f"{folder} -> {folder.resolve()}" if folder.is_symlink() else str(folder)


def _remove(folder: Path) -> list[StateError]:
    """Remove an agent's state, with what a link of its name leads to, and say so. Why something stays, where it does:
    the first is the cause of the others, as the folders around it stay as well."""
    kept: list[StateError] = []

    def keep(do: object, path: str, why: tuple[object, BaseException, object]) -> None:
        error = why[1]
        if isinstance(error, OSError) and error.errno != errno.ENOENT:
            kept.append(StateError(path, f"cannot be removed: {error.strerror}"))

    shown = _shown(folder)
    shutil.rmtree(folder.resolve(), onerror=keep)  # onexc is of Python 3.12
    if not kept:
        if folder.is_symlink():
            folder.unlink()
        click.echo(shown)
    return kept
