"""The merged configuration of one agent as TOML that agentbox reads back, or as data, with each value's origin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentbox import provenance, versions
from agentbox.errors import one_line
from agentbox.identity import Identity
from agentbox.policy import build
from agentbox.policy_load import Merged, layers
from agentbox.policy_schema import KEYS, TABLES
from agentbox.provenance import Origin
from agentbox.toml_text import key as toml_key
from agentbox.toml_text import write

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a section: its value and origin, and the origins of its parts (items of a list, names of a table)."""

    name: str
    value: Any
    origin: Origin
    parts: dict[str, Origin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Section:
    """A table: [limits], or with `row` one entry of [[tmpfs]]. The first, of keys before any table, has no name."""

    name: str
    settings: list[Setting]
    row: bool = False


def effective(agent: str, identity: Identity, folder: Path | None) -> list[Section]:
    """What `agentbox run` would go by in `folder`. Raises PolicyError for anything wrong in a file."""
    merged = layers(agent, identity.config_file, folder)
    policy = build(agent, merged)
    version = versions.apply(policy, identity, {}).package.version
    settings = {key: _setting(merged, agent, key) for key in KEYS if key in merged.values}
    if version != policy.package.version:
        remembered = Origin(str(identity.own_state / versions.FILE))
        settings["package.version"] = Setting("version", version, remembered)
    return [*_sections(settings), *_rows(merged, agent)]


def _setting(merged: Merged, agent: str, key: str) -> Setting:
    value = merged.values[key]
    parts = {}
    if isinstance(value, list):
        parts = {item: provenance.of_item(merged, agent, key, item) for item in value}
    elif isinstance(value, dict):
        parts = {name: provenance.of_key(merged, agent, key, name) for name in value}
    return Setting(key.rpartition(".")[2], value, provenance.of_key(merged, agent, key), parts)


def _sections(settings: dict[str, Setting]) -> Iterator[Section]:
    names = list(dict.fromkeys(key.rpartition(".")[0] for key in settings))
    for name in names:
        inside = [setting for key, setting in settings.items() if key.rpartition(".")[0] == name]
        yield Section(name, [each for each in inside if not isinstance(each.value, dict)])
        for table in (each for each in inside if isinstance(each.value, dict)):
            values = [Setting(part, table.value[part], origin) for part, origin in table.parts.items()]
            yield Section(f"{name}.{table.name}", values)


def _rows(merged: Merged, agent: str) -> Iterator[Section]:
    for table in TABLES:
        for identity, row in merged.tables.get(table, {}).items():
            settings = [
                Setting(column, value, provenance.of_row(merged, agent, table, identity, column))
                for column, value in row.items()
            ]
            yield Section(table, settings, row=True)


def as_toml(sections: list[Section], *, origin: bool) -> str:
    """TOML text; with `origin`, a comment behind each value says where it comes from."""
    blocks = []
    for section in sections:
        head = f"[[{section.name}]]" if section.row else f"[{section.name}]"
        body = [line for setting in section.settings for line in _lines(setting, origin)]
        if body:
            blocks.append("\n".join([head, *body] if section.name else body))
    return "\n\n".join(blocks) + "\n"


def _lines(setting: Setting, origin: bool) -> Iterator[str]:
    text = f"{toml_key(setting.name)} = {write(setting.value)}"
    if not origin:
        yield text if len(text) <= WIDTH or not setting.parts else _in_lines(setting)
    elif not setting.parts:
        yield f"{text}  # {one_line(str(setting.origin))}"
    else:
        yield f"{toml_key(setting.name)} = ["
        for item, where in setting.parts.items():
            yield f"    {write(item)},  # {one_line(str(where))}"
        yield "]"


def _in_lines(setting: Setting) -> str:
    items = "".join(f"    {write(item)},\n" for item in setting.value)
    return f"{toml_key(setting.name)} = [\n{items}]"


def as_data(sections: list[Section]) -> dict[str, Any]:
    """`policy`, nested as in TOML, and `origin`: by dotted key a place, or places by item, or a list of rows."""
    policy: dict[str, Any] = {}
    origins: dict[str, Any] = {}
    for section in sections:
        if section.row:
            policy.setdefault(section.name, []).append({each.name: each.value for each in section.settings})
            origins.setdefault(section.name, []).append({each.name: str(each.origin) for each in section.settings})
            continue
        table = policy
        for part in filter(None, section.name.split(".")):
            table = table.setdefault(part, {})
        for each in section.settings:
            table[each.name] = each.value
            place = f"{section.name}.{each.name}".lstrip(".")
            origins[place] = {item: str(at) for item, at in each.parts.items()} or str(each.origin)
    return {"policy": policy, "origin": origins}
