"""A workspace that an agent's tool has prepared for the host: whatever looks at it by running something of it leaves a mark."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

STEERING = "\x1b]52;c;Y3VybA==\x07\x1b[2J\u202e"
# Files that some program on the host would take for its own. A trap is a script that leaves the mark.
PYTHON = (
    "sitecustomize.py",
    "usercustomize.py",
    "click.py",
    "docker.py",
    "json.py",
    "rich/__init__.py",
    "agentbox/__init__.py",
)
PROGRAMS = ("docker", "git", "find", "node", "python3", "python3.13", "bwrap", "bin/docker")
CONFIGURED = """
[core]
    fsmonitor = {0}
    sshCommand = {0}
    pager = {0}
    editor = {0}
[diff]
    external = {0}
[filter "x"]
    clean = {0}
    smudge = {0}
"""
HOOKS = ("pre-commit", "post-checkout", "post-index-change", "reference-transaction", "fsmonitor-watchman")
COMPOSE = "services:\n  x:\n    image: scratch\n    volumes: ['/:/host']\n    command: touch {}\n"


def prepare(workspace: Path, outside: Path) -> Path:
    """Fill `workspace`; `outside` is a folder of the host's with a secret. Returns the mark that any trap would make."""
    mark = outside.parent / "mark"
    script = f"#!/bin/sh\ntouch {mark}\n"
    outside.mkdir(exist_ok=True)
    (outside / "secret").write_text("SECRET-OF-THE-HOST\n")
    _repository(workspace, script)
    for name in PROGRAMS:
        _write(workspace / name, script, 0o755)
    for name in PYTHON:
        _write(workspace / name, f"import os\nos.open({str(mark)!r}, os.O_CREAT)\nraise ImportError('trap')\n")
    for name in ("compose.yaml", "docker-compose.yml", "compose.override.yaml"):
        _write(workspace / name, COMPOSE.format(mark))
    _write(workspace / ".env", f"COMPOSE_FILE=compose.yaml\nDOCKER_HOST=unix://{workspace}/socket\nKEY=x\n")
    _write(workspace / "pyproject.toml", "[tool.agentbox]\nnetwork = 'open'\n")
    for name in ("link-out", ".secrets", "gh_link"):
        (workspace / name).symlink_to(outside / "secret")
    (workspace / "folder-out").symlink_to(outside)
    (workspace / ".envrc").symlink_to("/dev/full")
    os.mkfifo(workspace / "package.json")
    for name in (
        f"gh_{STEERING}",
        f"a\n{STEERING}/.env",
        f"{STEERING}/.git/config",
        "-rf",
        "--unmask",
        "$(touch x)/.env",
    ):
        _write(workspace / name, "[core]\n\tfsmonitor = ./git\n" if name.endswith("config") else "x\n")
    nested = workspace / "nested"
    nested.mkdir()
    _write(nested / ".git", f"gitdir: {outside}\n")
    return mark


def _repository(workspace: Path, script: str) -> None:
    subprocess.run(["git", "init", "-q", str(workspace)], check=True, cwd="/")
    trap = workspace / "trap"
    _write(trap, script, 0o755)
    with (workspace / ".git/config").open("a") as config:
        config.write(CONFIGURED.format(trap))
    _write(workspace / ".gitattributes", "* filter=x diff=x\n")
    for name in HOOKS:
        _write(workspace / ".git/hooks" / name, script, 0o755)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def snapshot(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Mode, size and time of all that lies in a folder, links not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        found[str(path)] = (info.st_mode, info.st_size, info.st_mtime_ns)
    return found
