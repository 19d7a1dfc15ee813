"""What tomllib does not do: tell on which line a key is set, and write values."""

from __future__ import annotations

import json
import tomllib
from functools import lru_cache
from typing import Any

# The way to a value: keys, and indices of arrays of tables.
Place = tuple[str | int, ...]

# Characters of unfinished statements to parse before giving up: the file may be an agent's, and made to be slow.
BUDGET = 1 << 20


@lru_cache(maxsize=16)
def lines(text: str) -> dict[Place, int]:
    """The line of each table, key and list item of a valid TOML document.

    A statement (a header, or a key and its value) is the fewest lines that tomllib accepts by themselves.
    """
    found: dict[Place, int] = {}
    rows: dict[Place, int] = {}
    table: Place = ()
    pending: list[str] = []
    start, budget = 0, BUDGET
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not pending:
            start = number
        elif not any(mark in line for mark in ("]", '"""', "'''")):
            pending.append(line)  # no statement of several lines ends with such a line
            continue
        pending.append(line)
        statement = "\n".join(pending)
        budget -= len(statement) if number > start else 0
        if budget < 0:
            key, equals, _ = pending[0].partition("=")
            _note(found, table, _parsed(f"{key}{equals}0") or {}, start, [])
            break
        if (parsed := _parsed(statement)) is None:
            continue
        if line.lstrip().startswith("[") and number == start:
            table = _enter(parsed, line.lstrip().startswith("[["), rows)
            found.setdefault(table, number)
        else:
            _note(found, table, parsed, start, pending)
        pending = []
    return found


def line_of(text: str, key: str, row: int | None = None) -> tuple[Place, int] | None:
    """Place and line of `limits.pids` or, with `row`, of an entry of `tmpfs`, its `tmpfs.size`, or an item of a list;
    None where that cannot be told."""
    wanted = [] if row is None else [row]
    found = [
        (place, line)
        for place, line in lines(text).items()
        if _dotted(place) == key and [part for part in place if isinstance(part, int)] == wanted
    ]
    if not found and row is None:  # a table of which there are only entries
        return line_of(text, key, 0)
    return found[0] if len(found) == 1 else None


def write(value: Any) -> str:
    """A value as TOML, in one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(_character(char) for char in value) + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(write(item) for item in value) + "]"
    return str(value)


def key(name: str) -> str:
    """A key as TOML: bare where it may be."""
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else write(name)


def _character(char: str) -> str:
    if char in ('"', "\\") or ord(char) < 32:
        return json.dumps(char)[1:-1]
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _dotted(place: Place) -> str:
    return ".".join(part for part in place if isinstance(part, str))


def _enter(header: dict[str, Any], array: bool, rows: dict[Place, int]) -> Place:
    """The place that a header leads to; `rows` are the last indices of the arrays of tables so far."""
    names = []
    inner: Any = header
    while isinstance(inner, dict) and inner:
        names.append(next(iter(inner)))
        inner = inner[names[-1]]
    place: Place = ()
    for depth, name in enumerate(names, 1):
        place = (*place, name)
        if array and depth == len(names):
            rows[place] = rows.get(place, -1) + 1
        if place in rows:
            place = (*place, rows[place])
    return place


def _note(found: dict[Place, int], at: Place, value: Any, line: int, source: list[str]) -> None:
    """The places in `value`, which begins on `line`; items of a list where their text stands."""
    if isinstance(value, dict):
        for name, inner in value.items():
            found.setdefault((*at, name), line)
            _note(found, (*at, name), inner, line, source)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            quoted = (f'"{item}"', f"'{item}'") if isinstance(item, str) else ()
            on = next((line + n for n, part in enumerate(source) if any(text in part for text in quoted)), line)
            found.setdefault((*at, index), on)
            _note(found, (*at, index), item, on, source)
