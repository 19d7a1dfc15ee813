"""Globs as the mask list has them.

One without a slash is compared with the name, at any depth; one with a slash with the path below a mounted folder,
where * goes through slashes too, and a leading **/ means any depth. A slash at the end means folders, none means all
else. Case does not matter: .ENV is as much a secret, and not every filesystem tells the two apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate


class Globs:
    """Some globs as one question, asked once for each file of a tree."""

    def __init__(self, globs: Iterable[str]) -> None:
        items = [item.removesuffix("/") for item in globs]
        self._names = _either(translate(item) for item in items if "/" not in item)
        self._paths = _either(_of_path(item) for item in items if "/" in item)

    def match(self, path: str, root: str) -> bool:
        """Whether `path`, which lies below `root`, is meant."""
        if self._names is not None and self._names.match(path[path.rindex("/") + 1 :]):
            return True
        return self._paths is not None and self._paths.match(path[len(root.rstrip("/")) + 1 :]) is not None


def of_folders(globs: Iterable[str], yes: bool) -> list[str]:
    """Those of the globs that mean folders, or the others."""
    return [item for item in globs if item.endswith("/") == yes]


def _of_path(item: str) -> str:
    anywhere = item.startswith("**/")
    return ("(?:.*/)?" if anywhere else "") + translate(item.removeprefix("**/") if anywhere else item.lstrip("/"))


def _either(patterns: Iterable[str]) -> re.Pattern[str] | None:
    joined = "|".join(patterns)
    return re.compile(joined, re.IGNORECASE | re.DOTALL) if joined else None
