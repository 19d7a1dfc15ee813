"""JSON Schemas of the configuration files, for editors, made from policy_schema and the comments of defaults.toml.

They may accept what agentbox refuses (a schema cannot say all), never the other way round.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from agentbox import policy_schema as schema
from agentbox.policy_load import PACKAGE, WORKSPACE_FILE, agent_names, read
from agentbox.policy_schema import KEYS, TABLES, Check, Key, Whole
from agentbox.toml_text import Place, lines

Shape = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"  # what the editors' TOML extensions read
CLEAN = "^[^\\u0000-\\u001f\\u007f]*$"
ABSOLUTE = "^-?/"
ITEM: Shape = {"type": "string", "minLength": 1, "pattern": CLEAN}


def _list(item: Shape = ITEM) -> Shape:
    return {"type": "array", "items": item}


def _text(pattern: str) -> Shape:
    return {"type": "string", "pattern": pattern}


SHAPES: dict[Check, Shape] = {
    schema.text: _text(CLEAN),
    schema.filled: {**_text(CLEAN), "minLength": 1},
    schema.strings: _list(),
    schema.absolute: _text("^/"),
    schema.absolutes: _list(_text(ABSOLUTE)),
    schema.deny_items: _list(),
    schema.globs: _list(),
    schema.below_home: _text("^[^/]"),
    schema.cpus: {"type": "number", "minimum": 0.01, "maximum": 4096},
    schema.size: _text("^\\s*[0-9]+[bkmgtBKMGT]?\\s*$"),
    schema.mode: _text("^[01]?[0-7]{3}$"),
    schema.flag: {"type": "boolean"},
    schema.manager: {"enum": ["npm", "pip"]},
    schema.hooks_right: {"enum": ["read", "write"]},
    schema.version: _text("^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$"),
    schema.env_names: _list(_text("^-?[A-Za-z_][A-Za-z0-9_]*\\*?$")),
    schema.env_values: {
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "additionalProperties": {"type": "string"},
    },
    schema.parts: {"type": "object", "additionalProperties": _text("^[^/]")},
    schema.etc_links: {"type": "object", "additionalProperties": _text("^/")},
    schema.programs: {"type": "object", "additionalProperties": _list()},
    schema.host_items: _list(),
    schema.addresses: {"type": "object", "additionalProperties": {"type": "string"}},
    schema.engine_name: {"enum": list(schema.ENGINES)},
    schema.network_mode: {"enum": list(schema.MODES)},
    schema.header_names: _list(_text("^[A-Za-z0-9-]{1,64}$")),
    schema.parameters: _list(_text("^[A-Za-z_][A-Za-z0-9_]{0,63}$")),
    schema.env_name: _text("^[A-Za-z_][A-Za-z0-9_]{0,99}$"),
    schema.placeholder_prefix: _text("^[A-Za-z0-9._-]{0,64}$"),
    schema.home_path: {"type": "string", "pattern": "^(/|~/|$)"},
}


def render_user() -> str:
    """docs/config.schema.json."""
    return _render("agentbox: ~/.config/agentbox/config.toml", _tables())


def render_workspace() -> str:
    """docs/workspace.schema.json: only what a project's file may hold."""
    return _render(f"agentbox: {WORKSPACE_FILE}", _tables(tighten=True))


def _render(title: str, tables: Shape) -> str:
    agents = {name: {"$ref": "#/definitions/agent"} for name in agent_names()}
    whole = {
        "$schema": DRAFT,
        "title": title,
        "definitions": {"agent": _object(tables)},
        **_object({**tables, "agents": {**_object(agents), "description": "For one agent: [agents.pi.limits]."}}),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _object(properties: Shape) -> Shape:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _tables(*, tighten: bool = False) -> Shape:
    found: Shape = {}
    for name, key in KEYS.items():
        if tighten and not key.tighten:
            continue
        section, _, last = name.rpartition(".")
        place = found if not section else found.setdefault(section, _object({}))["properties"]
        place[last] = _of_key(name, key, tighten)
    if not tighten:
        found |= {name: {"type": "array", "items": _of_table(name)} for name in TABLES}
    return found


def _of_key(name: str, key: Key, tighten: bool) -> Shape:
    result = {**shape(key.check), **_documented(tuple(name.split(".")))}
    if tighten and key.tighten in ("extend", "remove"):
        sign = "^[^-]" if key.tighten == "extend" else "^-."
        result["items"] = {"allOf": [result["items"], {"pattern": sign}]}
    return result


def _of_table(name: str) -> Shape:
    table = TABLES[name]
    columns = {column: {**shape(check)} for column, check in table.keys.items()}
    for column, default in table.defaults.items():
        columns[column]["default"] = default
    # The rest of an entry may stand in an earlier file.
    return {**_object(columns), "required": [table.identity]}


def shape(check: Check) -> Shape:
    """The schema of one check. A check without one is a mistake of this module's."""
    if isinstance(check, Whole):
        return {"type": "integer", "minimum": check.minimum, "maximum": check.maximum}
    return SHAPES[check]


def _documented(place: Place) -> Shape:
    """What defaults.toml says about a key: its value, and the comment behind it or right above."""
    source = read(PACKAGE / "defaults.toml", "defaults.toml")
    assert source is not None
    inner: Any = source.tables
    for part in place:
        if part not in inner:
            return {}
        inner = inner[part]
    comment = _comment(source.text, lines(source.text)[place])
    return {"default": inner} | ({"description": comment} if comment else {})


@cache
def _comment(text: str, line: int) -> str:
    every = text.split("\n")
    behind = every[line - 1].rpartition("# ")
    if behind[1] and behind[0].count('"') % 2 == 0:
        return behind[2].strip()
    above: list[str] = []
    while (before := every[line - 2 - len(above)].strip()).startswith("#"):
        above.insert(0, before.lstrip("# "))
    return " ".join(above)
