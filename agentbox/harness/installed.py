"""How an installed agent is started: agentbox's own copy, or the one that the user has."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentbox import programs
from agentbox.errors import InstallError
from agentbox.policy_model import Policy

PREFIX = "/usr/local/"  # where the images have it


def inside(root: Path, path: str) -> Path:
    """Where a path of the images lies here."""
    return root / path.removeprefix(PREFIX)


@dataclass(frozen=True, slots=True)
class Installed:
    """`argv` begins with the executable that the kernel runs (and, where that is an interpreter, the script), so that
    a vault can know the process by it; `env` is added to the agent's environment. `root` must be readable, and so must
    `needs`: folders outside of it, a Python's own, say. `version` is empty where only running it would tell."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    root: Path
    version: str
    needs: tuple[Path, ...] = field(default=())


def describe(policy: Policy, root: Path, record: Mapping[str, Any]) -> Installed:
    """agentbox's own copy below `root`."""
    version = str(record.get("version", ""))
    if policy.package.manager == "npm":
        words = [policy.command.exe, policy.command.script]
        return Installed(tuple(str(inside(root, word)) for word in words if word), {}, root, version)
    python = root / "bin" / "python"
    return Installed((str(python), str(root / "bin" / policy.command.argv[0])), {}, root, version, _base(python))


def installed_on_path(policy: Policy, path: str | None = None) -> Installed:
    """The one that the user's shell would start. Raises InstallError where there is none."""
    name = policy.command.argv[0]
    path = programs.typed() if path is None else path
    found = programs.find(name, path=path)
    if found is None:
        raise InstallError(
            name,
            "is not on PATH",
            f"install {policy.package.name}, or leave --use-installed out: agentbox installs it then",
        )
    script = Path(found).resolve()
    root = _package_root(script, policy.package.name)
    interpreter = _interpreter(script, path)
    if interpreter is None:
        # A program alone in ~/bin needs nothing else of that folder.
        return Installed((str(script),), {}, script if root == script.parent else root, _version(root, policy))
    # Of a virtual environment the link is started, not what it leads to: by it Python finds its packages.
    exe = interpreter if (interpreter.parent.parent / "pyvenv.cfg").is_file() else interpreter.resolve()
    needs = _base(exe) if "python" in exe.name else (exe.parent, *_modules(script))
    return Installed(
        (str(exe), str(script)), {}, root, _version(root, policy), tuple(one for one in needs if one != root)
    )


def _interpreter(script: Path, path: str | None) -> Path | None:
    """What a script's first line names; None for a program."""
    with script.open("rb") as file:
        first = file.readline(512)
    if not first.startswith(b"#!"):
        return None
    words = os.fsdecode(first[2:]).split()
    if words and words[0].endswith("/env"):
        words = [word for word in words[1:] if word[0] != "-" and "=" not in word]
        found = programs.find(words[0], path=path) if words else None
    else:
        found = words[0] if words and Path(words[0]).exists() else None
    if found is None:
        raise InstallError(str(script), f"its interpreter is not there: {first[2:].decode(errors='replace').strip()}")
    return Path(found)


def _package_root(script: Path, package: str) -> Path:
    """The folder that holds the package and what it needs: below node_modules its own, else the virtual environment."""
    for folder in script.parents:
        if str(folder).endswith(f"/node_modules/{package}") or (folder / "pyvenv.cfg").is_file():
            return folder
    return script.parent


def _modules(script: Path) -> tuple[Path, ...]:
    """Where a package that lies beside others finds those that it needs: npm, pnpm and yarn put them there."""
    folders = [folder for folder in script.parents if folder.name == "node_modules"]
    return tuple(folders[-1:])


def _base(python: Path) -> tuple[Path, ...]:
    """The installation of Python that a virtual environment stands on."""
    real = python.resolve()
    return (real.parent.parent,) if real.parent.name == "bin" else (real.parent,)


def _version(root: Path, policy: Policy) -> str:
    """As the package's own files say it: nothing is run."""
    try:
        return str(json.loads((root / "package.json").read_bytes())["version"])
    except (OSError, ValueError, KeyError, TypeError):
        stem = re.sub(r"[-_.]+", "_", policy.package.name)
        found = [path.name for path in root.glob(f"lib/python*/site-packages/{stem}-*.dist-info")]
        return found[0].removesuffix(".dist-info").rpartition("-")[2] if found else ""
