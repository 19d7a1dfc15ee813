"""agentbox update"""

from __future__ import annotations

import click

from agentbox import runtimes, versions
from agentbox.cli import common, terminal
from agentbox.identity import Identity
from agentbox.policy_model import Policy


@click.command("update")
@common.agents_argument
@common.ca_option
@common.quiet_option
@common.engine_option
def command(agents: tuple[str, ...], ca_bundle: str | None, engine: str | None) -> None:
    """Build the named agents, or all, in their newest versions, and use these from now on.

    For the native engine they are installed into your cache instead. `agentbox run AGENT --version-of AGENT=pinned`
    goes back to the version that agentbox was tested with.
    """
    who, policies = common.load_all(agents)
    policies = [policy for policy in policies if _is_open(policy, named=bool(agents))]
    found: dict[str, str] = {}
    for wanted in dict.fromkeys(engine or policy.engine for policy in policies):
        found |= _update([policy for policy in policies if (engine or policy.engine) == wanted], who, ca_bundle, wanted)
    for policy in policies if not terminal.is_quiet() else ():
        old, new = policy.package.version, found[policy.agent]
        click.echo(f"{policy.agent} {new}" + ("" if old == new else f" (was {old})"))


def _is_open(policy: Policy, *, named: bool) -> bool:
    """Whether its version is ours to choose. One that the user's file sets is an error only where it was asked for."""
    if named:
        versions.check_open(policy)
    elif file := versions.set_by(policy):
        common.say(f"{policy.agent} stays {policy.package.version}, which {file} sets")
        return False
    return True


def _update(policies: list[Policy], who: Identity, ca_bundle: str | None, wanted: str) -> dict[str, str]:
    """With the engine that `wanted` leads to. The versions."""
    runtime = runtimes.choose(wanted, who, lambda _: None)
    if isinstance(runtime, runtimes.Docker):
        from agentbox import build

        with common.progress() as report:
            return build.update(policies, who, runtime.engine, ca_bundle, report)
    from agentbox import harness

    if wanted == "auto":
        common.say("no Docker here: installing into your cache, for the native engine")
    with common.progress() as report:
        return harness.update(policies, who, ca_bundle, report)
