"""Which parts of a repository's configuration make git run something, as git itself reads them.

The text goes to git on its standard input, with includes off, outside of any repository: nothing of it is obeyed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from fnmatch import translate
from functools import cache, lru_cache
from pathlib import Path

from agentbox.hostrun_table import KEYS

QUIET = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
SECONDS = 10
INCLUDES = re.compile(r"include(if\..*)?\.path", re.DOTALL)


@lru_cache(maxsize=512)  # before and after a session, mostly the same
def dangerous(text: bytes) -> list[tuple[str, str]] | None:
    """The keys that git acts upon, with their values, in order; None where git is missing or cannot read it."""
    pairs = _read(text)
    return None if pairs is None else [(key, value) for key, value in pairs if _acts(key, value)]


def _read(text: bytes) -> list[tuple[str, str]] | None:
    command = ["git", "config", "--file", "-", "--no-includes", "--null", "--list"]
    environ = {"PATH": os.environ.get("PATH", os.defpath), **QUIET}
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, cwd="/", env=environ, timeout=SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    items = [item.partition("\n") for item in os.fsdecode(done.stdout).split("\0") if item]
    # A key without = is true to git.
    return [(key, value if newline else "true") for key, newline, value in items]


def _acts(key: str, value: str) -> bool:
    # Section and name come in lower case; a subsection keeps its own, which any * covers.
    return any(name.fullmatch(key) and form.match(value) for name, form in _table())


@cache
def _table() -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
    """When it is first needed: it takes as long as a git."""
    return [(re.compile(translate(key), re.DOTALL), re.compile(form, re.DOTALL)) for key, form in KEYS.items()]


def included(pairs: list[tuple[str, str]], folder: str) -> list[str]:
    """The files that a configuration in `folder` includes; one in the home is not a workspace's."""
    return [_join(folder, value) for key, value in pairs if INCLUDES.fullmatch(key) and not value.startswith("~")]


def hooks_paths(pairs: list[tuple[str, str]], folder: str) -> list[str]:
    """Where core.hooksPath leads, for a work tree at `folder`."""
    return [_join(folder, value) for key, value in pairs if key == "core.hookspath"]


def programs(pairs: list[tuple[str, str]], folder: str) -> list[tuple[str, str]]:
    """Files of a work tree that the values may name, and the key that does."""
    found = []
    for key, value in pairs:
        try:
            words = shlex.split(value.lstrip("! "))[:8]
        except ValueError:  # an open quotation mark
            words = value.split()[:8]
        found += [(_join(folder, word), key) for word in words if word and not word.startswith(("-", "~"))]
    return found


def _join(folder: str, value: str) -> str:
    return str(Path(folder) / value) if "\0" not in value else folder
