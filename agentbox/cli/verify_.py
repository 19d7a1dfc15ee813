"""agentbox verify"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentbox import identity as identities
from agentbox import policy as policies
from agentbox.cli import common
from agentbox.errors import UsageError, one_line
from agentbox.interruption import as_interruption

if TYPE_CHECKING:
    from agentbox.identity import Identity
    from agentbox.verify.catalogue import Attack
    from agentbox.verify.trial import Outcome
    from agentbox.verify.verdict import Verdict

Progress = Callable[[str, "Attack", bool, "Outcome"], None]


@click.command("verify")
@common.agents_argument
@common.engine_option
@click.option("--list", "listing", is_flag=True, help="Print the attacks, and run none.")
@click.option(
    "--only", multiple=True, metavar="WHICH", help="A family, an attack, or a pattern: 'network/*'. Repeatable."
)
@click.option(
    "--junit", "junit_file", metavar="FILE", type=click.Path(dir_okay=False), help="Write a report for CI there."
)
@common.json_option
def command(  # noqa: PLR0913, PLR0917  one parameter for each option
    agents: tuple[str, ...],
    engine: str | None,
    listing: bool,
    only: tuple[str, ...],
    junit_file: str | None,
    as_json: bool,
) -> int:
    """Attack your own containers (or native sandboxes) from inside, with and without each protection, and say what got
    through.

    Uses your images and configuration, with canaries in the place of credentials, and a workspace that is thrown away.
    Your own attacks are read from the folder attacks beside your config.toml. Ends with 0 if all attacks were denied
    that work without the protection in question, 1 if one got through, 3 if something was not proven. What the kernel
    itself refuses to everybody, and what the native engine does not claim, is listed as such and changes nothing.
    """
    from agentbox.verify import catalogue, report
    from agentbox.verify.verdict import exit_code

    names = list(dict.fromkeys(agents or policies.agent_names()))
    for name in names:
        policies.check_agent(name)
    who = identities.current()
    attacks = catalogue.select(catalogue.load(catalogue.OWN, catalogue.folder_of(who)), only)
    if listing:
        _list(attacks, as_json)
        return 0
    place = _writable(junit_file)
    with as_interruption():
        verdicts, seconds = _examine(names, attacks, who, engine)
    if not verdicts:
        raise UsageError(f"--only {' '.join(only)}", f"names no attack on {', '.join(names)}")
    if place:
        place.write_bytes(report.junit(verdicts, seconds))
    if as_json:
        click.echo(json.dumps(report.data(verdicts, seconds), indent=2))
    else:
        head, *rows = report.counts(verdicts)
        common.table(head, [tuple(row) for row in rows])
        for line in report.lines(verdicts):
            click.echo(line)
        click.echo(", ".join(f"{name} {taken:.0f} s" for name, taken in seconds.items()))
    return exit_code(verdicts)


def _examine(
    names: list[str], attacks: list[Attack], who: Identity, engine: str | None
) -> tuple[list[Verdict], dict[str, float]]:
    from agentbox import verify

    found: list[Verdict] = []
    seconds: dict[str, float] = {}
    for name in names:
        policy = common.load(name, who)
        runtime = common.runtime(engine, policy, who)
        runtime.prepare(policy, who, common.progress, rebuild=False)
        start = time.monotonic()
        with _progress() as progress:
            found += verify.examine(verify.Plan(policy, attacks), who, runtime.ground(), progress)
        seconds[name] = time.monotonic() - start
    return found, seconds


def _writable(name: str | None) -> Path | None:
    """The report's place, tried now: after a minute's work is too late to find that it cannot be written."""
    if name is None:
        return None
    path = Path(name)
    try:
        there = path.exists()
        path.open("ab").close()
    except OSError as error:
        raise UsageError(f"--junit {name}", error.strerror or str(error)) from None
    if not there:
        path.unlink()
    return path


def _list(attacks: list[Attack], as_json: bool) -> None:
    from agentbox.verify import report

    if as_json:
        click.echo(json.dumps([report.described(attack) for attack in attacks], indent=2))
        return
    rows = [(f"{attack.path}", attack.protections, attack.says) for attack in attacks]
    common.table(("ATTACK", "STOPPED BY", "WHAT IT DOES"), rows)  # type: ignore[arg-type]  # rows of strings are rows


@contextmanager
def _progress() -> Iterator[Progress]:
    """A line that says what was tried last, on a terminal; elsewhere nothing until the end."""
    if not sys.stderr.isatty():
        yield lambda agent, attack, control, outcome: None
        return
    from rich.console import Console
    from rich.markup import escape

    count = {False: 0, True: 0}
    got_through = 0
    console = Console(stderr=True)
    with console.status("starting containers") as status:

        def show(agent: str, attack: Attack, control: bool, outcome: Outcome) -> None:
            nonlocal got_through
            count[control] += 1
            got_through += outcome.worked and not control
            line = f"{agent}: {count[False]} tried, {got_through} got through; {count[True]} controls; {attack.path}"
            status.update(escape(one_line(line)))

        yield show
