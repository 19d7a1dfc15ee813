"""Which keys a configuration file may hold, what each must look like, and how two files' values become one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from agentbox import hosts

Check = Callable[[Any], str]

# From the least to the most that is kept from an agent.
MODES = ("open", "allowlist", "none")
ENGINES = ("auto", "docker", "native")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def to_bytes(text: str) -> int:
    """`512m` as a number of bytes. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+)([bkmgt]?)", text.strip().lower())
    if not match:
        raise ValueError(text)
    return int(match[1]) * UNITS[match[2]]


def clean(text: str) -> bool:
    """Whether `text` may stand in a line of a rendered file: no control characters."""
    return not CONTROL.search(text)


def text(value: Any) -> str:
    return "" if isinstance(value, str) and clean(value) else "must be a string without control characters"


def filled(value: Any) -> str:
    return text(value) or ("" if value else "must not be empty")


def strings(value: Any) -> str:
    good = isinstance(value, list) and all(isinstance(item, str) and item and clean(item) for item in value)
    return "" if good else "must be a list of non-empty strings without control characters"


def absolute(value: Any) -> str:
    return "" if is_absolute(value) else "must be an absolute path without . or .. in it"


def is_absolute(value: Any) -> bool:
    if not isinstance(value, str) or not value.startswith("/") or not clean(value):
        return False
    return value == "/" or all(part not in ("", ".", "..") for part in value[1:].split("/"))


def absolutes(value: Any) -> str:
    good = isinstance(value, list) and all(is_absolute(item.removeprefix("-")) for item in value if text(item) == "")
    return strings(value) or ("" if good else "must be a list of absolute paths without . or .. in them")


def deny_items(value: Any) -> str:
    if message := strings(value):
        return message
    bad = [item for item in value if "/" in item and not is_absolute(item.removeprefix("-"))]
    return f"must hold names without / or absolute paths, not {bad[0]!r}" if bad else ""


def globs(value: Any) -> str:
    return strings(value) or next(filter(None, (glob_error(item.removeprefix("-")) for item in value)), "")


def glob_error(item: str) -> str:
    """What is wrong with one glob of the mask list, or an empty string."""
    good = all(part not in ("", ".", "..") for part in item.removeprefix("/").removesuffix("/").split("/"))
    return "" if good else f"must hold names, or paths below the folder without . or .. in them, not {item!r}"


def below_home(value: Any) -> str:
    good = isinstance(value, str) and is_absolute("/" + value) and value
    return "" if good else "must be a path relative to the home, without . or .. in it"


@dataclass(frozen=True, slots=True)
class Whole:
    """The check of a whole number between two others."""

    minimum: int
    maximum: int

    def __call__(self, value: Any) -> str:
        good = isinstance(value, int) and not isinstance(value, bool) and self.minimum <= value <= self.maximum
        return "" if good else f"must be a whole number from {self.minimum} to {self.maximum}"


def whole(minimum: int, maximum: int) -> Check:
    return Whole(minimum, maximum)


def cpus(value: Any) -> str:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0.01 <= value <= 4096
    return "" if good else "must be a number of CPUs, at least 0.01"


def size(value: Any) -> str:
    try:
        return "" if isinstance(value, str) and to_bytes(value) >= 4096 else "must be a size such as 512m or 8g"
    except ValueError:
        return "must be a size such as 512m or 8g"


def mode(value: Any) -> str:
    good = isinstance(value, str) and re.fullmatch(r"[01]?[0-7]{3}", value)
    return "" if good else "must be an octal mode in quotes, such as 0700"


def flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def manager(value: Any) -> str:
    return "" if value in ("npm", "pip") else "must be npm or pip"


def version(value: Any) -> str:
    good = isinstance(value, str) and re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}", value)
    return "" if good else "must be a version such as 1.2.3"


def env_names(value: Any) -> str:
    if message := strings(value):
        return message
    bad = [item for item in value if not re.fullmatch(r"-?[A-Za-z_][A-Za-z0-9_]*\*?", item)]
    return f"must hold names of environment variables, not {bad[0]!r}" if bad else ""


def env_values(value: Any) -> str:
    good = isinstance(value, dict) and all(
        re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and isinstance(item, str) and "\0" not in item
        for name, item in value.items()
    )
    return "" if good else 'must be a table of NAME = "value"'


def parts(value: Any) -> str:
    good = isinstance(value, dict) and not any(below_home(item) for pair in value.items() for item in pair)
    return "" if good else 'must be a table of "name" = "path", both relative, without . or .. in them'


def etc_links(value: Any) -> str:
    good = isinstance(value, dict) and not any(below_home(name) or absolute(item) for name, item in value.items())
    return "" if good else 'must be a table of "path below /etc" = "/absolute path"'


def programs(value: Any) -> str:
    good = isinstance(value, dict) and not any(strings(item) for item in value.values())
    return "" if good else 'must be a table of package = ["name", "/path"]'


def host_items(value: Any) -> str:
    if message := strings(value):
        return message
    for item in value:
        try:
            hosts.parse(item.removeprefix("-"))
        except ValueError as error:
            return f"holds what is no host: {error}"
    return ""


def addresses(value: Any) -> str:
    good = isinstance(value, dict) and all(hosts.is_name(key) and hosts.is_address(item) for key, item in value.items())
    return "" if good else 'must be a table of "host" = "address"'


def network_mode(value: Any) -> str:
    return "" if value in MODES else f"must be one of {', '.join(MODES)}"


def hooks_right(value: Any) -> str:
    return "" if value in ("read", "write") else "must be read or write"


def header_names(value: Any) -> str:
    good = not strings(value) and all(re.fullmatch(r"[A-Za-z0-9-]{1,64}", item) for item in value)
    return "" if good else "must be a list of HTTP header names"


def parameters(value: Any) -> str:
    good = not strings(value) and all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", item) for item in value)
    return "" if good else "must be a list of names of query parameters"


def env_name(value: Any) -> str:
    good = isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", value)
    return "" if good else "must be the name of an environment variable"


def placeholder_prefix(value: Any) -> str:
    good = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9._-]{0,64}", value)
    return "" if good else "must be letters, digits, dots, dashes and underscores"


def engine_name(value: Any) -> str:
    return "" if value in ENGINES else "must be auto, docker or native"


def home_path(value: Any) -> str:
    good = isinstance(value, str) and clean(value) and (not value or value.startswith(("/", "~/")))
    return "" if good else "must be a path that begins with / or ~/"


class Key(NamedTuple):
    """One key. `join` says how a later file's value meets an earlier one's; `tighten` how a workspace's may."""

    check: Check
    join: str = "replace"  # replace | extend | update
    tighten: str = ""  # lower | extend | remove | raise; empty: a workspace may not set it


class Table(NamedTuple):
    """An array of tables ([[state]]), whose entries are known by the value of `identity`."""

    identity: str
    keys: dict[str, Check]
    defaults: dict[str, Any]


KEYS: dict[str, Key] = {
    "engine": Key(engine_name),
    "use_installed": Key(flag),
    "title": Key(filled),
    "homepage": Key(text),
    "image.base": Key(filled),
    "image.packages": Key(strings, "extend"),
    "image.ca_bundle": Key(absolute),
    "limits.pids": Key(whole(16, 1 << 22), tighten="lower"),
    "limits.memory": Key(size, tighten="lower"),
    "limits.cpus": Key(cpus, tighten="lower"),
    "limits.nofile": Key(whole(64, 1 << 20), tighten="lower"),
    "launch.links": Key(absolutes, "extend"),
    "package.manager": Key(manager),
    "package.name": Key(filled),
    "package.version": Key(version),
    "package.extras": Key(strings),
    "command.argv": Key(strings),
    "command.exe": Key(absolute),
    "command.script": Key(absolute),
    "command.version": Key(strings),
    "native.library": Key(parts, "update"),
    "native.etc": Key(etc_links, "update"),
    "native.programs": Key(programs, "update"),
    "plugins.own": Key(below_home),
    "plugins.guard": Key(below_home),
    "plugins.variable": Key(env_name),
    "vault.tree": Key(absolute),
    "vault.deny": Key(deny_items, "extend", "extend"),
    "vault.read": Key(absolutes, "extend"),
    "vault.write": Key(absolutes, "extend"),
    "guard.deny": Key(strings, "extend", "extend"),
    "tools.read": Key(strings, "extend"),
    "tools.spawn": Key(strings, "extend"),
    "guard.frames": Key(absolutes, "extend"),
    "mask.globs": Key(globs, "extend", "extend"),
    "mask.except": Key(globs, "extend"),
    "mask.skip": Key(strings, "extend"),
    "mask.entries": Key(whole(1, 1 << 30)),
    "workspace.hooks": Key(hooks_right),
    "env.pass": Key(env_names, "extend"),
    "env.secret": Key(env_names, "extend"),
    "env.hide": Key(env_names, "extend", "extend"),
    "env.keep": Key(env_names, "extend"),
    "env.set": Key(env_values, "update"),
    "network.mode": Key(network_mode, tighten="raise"),
    "network.hosts": Key(host_items, "extend", "remove"),
    "network.private": Key(host_items, "extend", "remove"),
    "network.setup": Key(host_items, "extend", "remove"),
    "network.addresses": Key(addresses, "update"),
}

TABLES: dict[str, Table] = {
    "tmpfs": Table(
        "path", {"path": absolute, "size": size, "mode": mode, "exec": flag, "why": text}, {"exec": False, "why": ""}
    ),
    "state": Table("path", {"host": below_home, "path": absolute, "link": below_home}, {}),
    "credential": Table(
        "name",
        {
            "name": env_name,
            "hosts": host_items,
            "headers": header_names,
            "query": parameters,
            "prefix": placeholder_prefix,
            "file": home_path,
            "keyring": text,
        },
        {"headers": ["authorization", "x-api-key"], "query": [], "prefix": "", "file": "", "keyring": ""},
    ),
    "port": Table("name", {"name": filled, "host": whole(1, 65535), "container": whole(1, 65535)}, {}),
}

SECTIONS = {name.partition(".")[0] for name in KEYS if "." in name}

# Without these there is no agent. The rest has a value that means "none".
REQUIRED = (
    "title", "image.base", "limits.pids", "limits.memory", "limits.cpus", "limits.nofile", "mask.entries",
    "package.manager", "package.name", "package.version", "command.argv", "command.exe", "vault.tree", "network.mode",
    "workspace.hooks", "engine",
)  # fmt: skip
