"""What a shell may complete: each function is one option's or argument's `shell_complete`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from agentbox.errors import AgentboxError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]
MOST = 50


def _items(found: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Those that begin so. Shells take a line for a word, and would run control characters by the terminal."""
    from click.shell_completion import CompletionItem

    fit = (word for word in dict.fromkeys(found) if word.startswith(incomplete) and word.isprintable())
    return [CompletionItem(word) for word in fit][:MOST]


def words(*known: str) -> Complete:
    return lambda ctx, param, incomplete: _items(known, incomplete)


def directory(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Left to the shell, which knows how."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def agent(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from agentbox.policy_load import agent_names

    return _items(agent_names(), incomplete)


def version(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from agentbox.policy_load import agent_names

    return _items((f"{name}={rest}" for name in agent_names() for rest in ("", "pinned")), incomplete)


def host(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """With --remove what was allowed, else what was refused lately."""
    from agentbox import allowed, audit, identity

    try:
        who = identity.current()
        if ctx.params.get("remove"):
            return _items((entry.host for entry in allowed.entries(allowed.path(who))), incomplete)
        return _items(audit.refused_hosts(who), incomplete)
    except AgentboxError:
        return []


def container(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Agents that run, and their containers and native sessions."""
    from agentbox.cli import common
    from agentbox.engine import AGENT, Engine

    found: list[tuple[str, str]] = []
    with contextlib.suppress(AgentboxError):
        found += [(each.agent, each.name) for each in common.sessions()]
        found += [(each.labels[AGENT], each.name) for each in Engine().containers(*common.own())]
    return _items([name for pair in found for name in pair], incomplete)


def variable(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The host's variables, by name alone."""
    import os

    return _items(sorted(os.environ), incomplete)
