"""Where agentbox's own files are: in the installed package, or in the checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def tree(name: str) -> Path:
    """The folder ``js``, ``containers`` or ``csrc``: packaged under ``_tree`` by the wheel, else the checkout's."""
    for candidate in (_PACKAGE / "_tree" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"agentbox's own folder {name}/ is not installed")


def lib(name: str) -> Path | None:
    """A compiled part (``fs-vault.so``, ``agentbox-launch``), or None where this installation has none."""
    path = _PACKAGE / "lib" / name
    return path if path.is_file() else None
