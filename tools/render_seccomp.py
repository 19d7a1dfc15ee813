#!/usr/bin/env python3
"""Renders containers/seccomp.json, Docker's format, from the table in containers/seccomp.toml.

Without an argument it writes the file; with --check it exits 1 if the file is not what the table says.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

CONTAINERS = Path(__file__).resolve().parent.parent / "containers"
TABLE = CONTAINERS / "seccomp.toml"
PROFILE = CONTAINERS / "seccomp.json"

EPERM = 1


def load() -> dict[str, Any]:
    table = tomllib.loads(TABLE.read_text())
    names = [name for key in ("allow", "refuse") for group in table[key] for name in group["names"]]
    names += {rule["name"] for rule in table["filter"]}
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SystemExit(f"{TABLE.name}: named twice: {', '.join(twice)}")
    return table


def _but(values: list[int]) -> list[dict[str, Any]]:
    """Conditions of which one holds for each argument whose lower 32 bits are none of `values`.

    An argument is another one from the first bit on in which it leaves all of them. "Not equal" would compare 64 bits,
    of which the kernel throws away the upper half; and there is no "and" of two conditions on one argument.
    """
    conditions = []
    for bit in reversed(range(32)):
        mask = 0xFFFFFFFF >> bit << bit
        prefixes = {value & mask for value in values}
        others = sorted({prefix ^ 1 << bit for prefix in prefixes} - prefixes)
        conditions += [{"op": "SCMP_CMP_MASKED_EQ", "value": mask, "valueTwo": other} for other in others]
    return conditions


def _filter(rule: dict[str, Any]) -> list[dict[str, Any]]:
    """The engine takes alternatives as one rule each: conditions within a rule must all hold."""
    if "without" in rule:
        conditions = [{"op": "SCMP_CMP_MASKED_EQ", "value": rule["without"], "valueTwo": 0}]
    elif "except" in rule:
        conditions = _but(rule["except"])
    else:
        conditions = [{"op": "SCMP_CMP_EQ", "value": value} for value in rule["equal"]]
    return [
        {
            "names": [rule["name"]],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": rule["argument"], **condition}],
            "comment": rule["why"],
        }
        for condition in conditions
    ]


def render(table: dict[str, Any]) -> str:
    syscalls = [
        {"names": sorted(group["names"]), "action": "SCMP_ACT_ALLOW", "comment": group["group"]}
        for group in table["allow"]
    ]
    for rule in table["filter"]:
        syscalls += _filter(rule)
    syscalls += [
        {"names": group["names"], "action": "SCMP_ACT_ERRNO", "errnoRet": group["errno"], "comment": group["why"]}
        for group in table["refuse"]
        if "errno" in group
    ]
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "archMap": [{"architecture": name, "subArchitectures": []} for name in table["architectures"]],
        "syscalls": syscalls,
    }
    return json.dumps(profile, indent=2) + "\n"


def main() -> int:
    rendered = render(load())
    if sys.argv[1:] == ["--check"]:
        if PROFILE.read_text() == rendered:
            return 0
        print(f"{PROFILE.name} is not what {TABLE.name} says: run {Path(__file__).name}", file=sys.stderr)
        return 1
    PROFILE.write_text(rendered)
    return 0


if __name__ == "__main__":
    sys.exit(main())
