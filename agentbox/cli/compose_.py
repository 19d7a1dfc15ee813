"""agentbox compose"""

from __future__ import annotations

import json
import os

import click

from agentbox import compose, hostenv
from agentbox import identity as identities
from agentbox.cli import common
from agentbox.mask import Wish


@click.command("compose")
@common.agent_argument
@common.folder_option
@common.mount_option
@common.allow_home_option
@common.no_mask_option
@common.unmask_option
@common.json_option
def command(  # noqa: PLR0913, PLR0917  one parameter for each option
    agent: str,
    folders: tuple[str, ...],
    more: tuple[str, ...],
    allow_home: bool,
    no_mask: bool,
    unmask: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print the compose model that `run` would use, after all configuration files.

    Variables without a value are taken from the environment of whoever runs it: no secret is printed.
    """
    who = identities.current()
    mounts = common.mounts(folders, more, who, allow_home=allow_home)
    policy = common.load(agent, who, None, mounts[0].source)
    git = hostenv.git_identity(hostenv.start_git(who.home))
    environment, _ = hostenv.environment(policy, os.environ, git, [])
    options = compose.Options(
        identity=who,
        mounts=mounts,
        environment=environment,
        command=list(policy.command.argv),
        cpus=_engine_cpus(),
        masks=common.masks(policy, mounts, who, Wish(no_mask, unmask)),
    )
    model = compose.model(policy, options)
    if as_json:
        click.echo(json.dumps(model, indent=2))
        return
    import yaml

    click.echo(yaml.safe_dump(model, sort_keys=False, allow_unicode=True, width=120), nl=False)


def _engine_cpus() -> int:
    """The engine's CPUs; 0 where no engine answers, as printing needs none."""
    from agentbox.engine import Engine
    from agentbox.errors import EngineError

    try:
        return Engine().facts().cpus
    except EngineError:
        return 0
