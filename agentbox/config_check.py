"""All that is wrong with one configuration file, for whoever writes it: `run` stops at the first mistake."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from agentbox.errors import PolicyError, UsageError
from agentbox.identity import Identity
from agentbox.policy import build
from agentbox.policy_load import WORKSPACE_FILE, Source, agent_names, layers, merge_layer, read
from agentbox.toml_text import Place

MOST = 50


def is_workspace(file: Path) -> bool:
    """Whether a file is judged as a project's: that is a matter of its name."""
    return file.name == WORKSPACE_FILE


def problems(file: Path, identity: Identity) -> list[PolicyError]:
    """The mistakes in `file`, for every agent. Raises UsageError where there is no such file."""
    try:
        source = read(file)
    except PolicyError as error:
        return [error]
    if source is None:
        option = "" if is_workspace(file) else " --user"
        raise UsageError(str(file), "there is no such file", f"`agentbox init{option}` writes one")
    found: dict[str, PolicyError] = {}
    for agent in agent_names():
        for problem in _of_agent(source, agent, file, identity):
            found.setdefault(str(problem), problem)
    return sorted(found.values(), key=lambda problem: problem.line or 0)


def _of_agent(source: Source, agent: str, file: Path, identity: Identity) -> list[PolicyError]:
    """Merge; leave out what is wrong; again, until nothing is."""
    found: list[PolicyError] = []
    tighten = is_workspace(file)
    wrong: list[Place] = []
    while len(found) < MOST:
        # Anew each time, as a failed merge stops half-way. A mistake in the user's own file is raised from here.
        merged = layers(agent, identity.config_file if tighten else None, None)
        part = Source(source.name, source.text, _without(source.tables, wrong))
        try:
            merge_layer(merged, part, agent, tighten=tighten)
            build(agent, merged)
        except PolicyError as error:
            found.append(error)
            if not error.place or error.place in wrong:
                break  # no way to look behind it
            wrong.append(error.place)
            continue
        break
    return found


def _without(tables: dict[str, Any], places: list[Place]) -> dict[str, Any]:
    """A copy without the keys at `places`. Of an array of tables the entries from a wrong one on are left out: what
    remains keeps its index, and so its line."""
    result = copy.deepcopy(tables)
    for place in places:
        depth = next((at for at, part in enumerate(place) if isinstance(part, int)), len(place) - 1)
        inner: Any = result
        for part in place[:depth]:
            inner = inner.get(part, {}) if isinstance(inner, dict) else {}
        last = place[depth]
        if isinstance(inner, list) and isinstance(last, int):
            del inner[last:]
        elif isinstance(inner, dict):
            inner.pop(last, None)
    return _filled(result)


def _filled(tables: dict[str, Any]) -> dict[str, Any]:
    """Without arrays that are empty: of a table that may not be there at all, nothing is to be left."""
    found = {name: _filled(inner) if isinstance(inner, dict) else inner for name, inner in tables.items()}
    return {name: inner for name, inner in found.items() if inner != []}
