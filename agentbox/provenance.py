"""Which file, and which line of it, a merged value comes from."""

from __future__ import annotations

from typing import Any, NamedTuple

from agentbox.policy_load import Merged
from agentbox.policy_schema import TABLES
from agentbox.toml_text import Place, lines


class Origin(NamedTuple):
    """A file, by the name that messages use, and a line where one is known."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


UNSET = Origin("built in")


def of_key(merged: Merged, agent: str, key: str, *more: str) -> Origin:
    """The last file that sets `limits.pids`, or with a further word one name of a table (env.set, LANG)."""
    for source in reversed(merged.sources):
        for prefix in _prefixes(agent):
            place: Place = (*prefix, *key.split("."), *more)
            if _reaches(source.tables, place) is not None:
                return Origin(source.name, lines(source.text).get(place))
    return _by_name(merged, key)


def of_item(merged: Merged, agent: str, key: str, item: str) -> Origin:
    """The file that put `item` into the list `key`."""
    name = merged.items.get(key, {}).get(item)
    for source in merged.sources if name else ():
        for prefix in _prefixes(agent):
            place: Place = (*prefix, *key.split("."))
            if source.name == name and item in (_reaches(source.tables, place) or ()):
                index = _reaches(source.tables, place).index(item)
                return Origin(source.name, lines(source.text).get((*place, index)))
    return Origin(name) if name else of_key(merged, agent, key)


def of_row(merged: Merged, agent: str, table: str, identity: str, column: str = "") -> Origin:
    """The last file that has the entry `identity` of [[table]], and sets its `column` if one is asked for."""
    known_by = TABLES[table].identity
    for source in reversed(merged.sources):
        for prefix in _prefixes(agent):
            rows = _reaches(source.tables, (*prefix, table)) or []
            for index, row in reversed(list(enumerate(rows))):
                if row.get(known_by) == identity and (not column or column in row):
                    places = lines(source.text)
                    at: Place = (*prefix, table, index)
                    return Origin(source.name, places.get((*at, column) if column else at))
    return UNSET


def _prefixes(agent: str) -> tuple[Place, ...]:
    return (("agents", agent), ())


def _by_name(merged: Merged, key: str) -> Origin:
    """A file of which only the name is known: what it says was not written as a key."""
    names = merged.origin.get(key)
    return Origin(names[-1]) if names else UNSET


def _reaches(tables: Any, place: Place) -> Any:
    for part in place:
        if not isinstance(tables, dict) or part not in tables:
            return None
        tables = tables[part]
    return tables
