"""agentbox compose"""

from __future__ import annotations

import json
import os

import click

from agentbox import audit, compose, credentials, egress, hostenv, owner
from agentbox import identity as identities
from agentbox.binds import Options
from agentbox.cli import common
from agentbox.engine import Engine, Facts
from agentbox.errors import visible
from agentbox.identity import Identity
from agentbox.mask import Wish
from agentbox.policy_model import Policy


@click.command("compose")
@common.agent_argument
@common.folder_option
@common.mount_option
@common.network_option
@common.allow_home_option
@common.no_mask_option
@common.unmask_option
@common.json_option
def command(  # noqa: PLR0913, PLR0917  one parameter for each option
    agent: str,
    folders: tuple[str, ...],
    more: tuple[str, ...],
    network: str | None,
    allow_home: bool,
    no_mask: bool,
    unmask: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print the compose model that `run` would use, after all configuration files.

    Variables without a value are taken from the environment of whoever runs it: no secret is printed. What a run makes
    for itself is called RUN; --network open prints a model without a broker, which plain Compose can run.
    """
    who = identities.current()
    mounts = common.mounts(folders, more, who, allow_home=allow_home)
    policy = common.load(agent, who, None, mounts[0].source, network)
    git = hostenv.git_identity(hostenv.start_git(who.home))
    keys = credentials.find(policy, who, os.environ, [])
    environment, _ = hostenv.environment(policy, os.environ, git, [], keys)
    engine, facts = _engine()
    plan, _ = common.git(policy, mounts, who, engine.mounted() if engine else [])
    options = Options(
        identity=who,
        mounts=[*mounts, *plan.mounts, *plan.pins],
        covers=plan.covers,
        blanks=plan.blanks,
        environment=environment,
        command=list(policy.command.argv),
        cpus=facts.cpus,
        masks=common.masks(policy, [*mounts, *plan.mounts], who, Wish(no_mask, unmask)),
        records=audit.folder(who) / "RUN" / audit.INSIDE,
        broker=_broker(policy, who, facts) if policy.network.mode == "allowlist" else None,
    )
    model = compose.model(policy, options)
    if as_json:
        click.echo(json.dumps(model, indent=2))
        return
    import yaml

    text = yaml.safe_dump(model, sort_keys=False, allow_unicode=True, width=120)
    if visible(text) != text:  # YAML leaves bidirectional characters as they are, if it is not told to escape all
        text = yaml.safe_dump(model, sort_keys=False, width=120)
    click.echo(text, nl=False)


def _broker(policy: Policy, who: Identity, facts: Facts) -> egress.Broker:
    """Where a run's broker would find its things: printing lays nothing out."""
    run = owner.run_root(who) / "RUN"
    return egress.Broker(
        rules=run / "rules",
        secrets=who.secrets / "RUN/keys",
        authority=who.own_state / "ca",
        audit=(audit.folder(who) / "RUN" / audit.EGRESS).parent,
        addresses=policy.network.addresses,
        isolate=egress.isolation(facts.version),
    )


def _engine() -> tuple[Engine | None, Facts]:
    """The engine and what it has; nothing where none answers, as printing needs none."""
    from agentbox.errors import EngineError

    try:
        engine = Engine()
        return engine, engine.facts()
    except EngineError:
        return None, Facts(0, "")
