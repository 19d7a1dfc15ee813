"""What Node compiled beforehand: pi starts from it, and no tool can put other code there."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from native_box import INSTALLED, UID, NativeBox

from agentbox import policy

pytestmark = [pytest.mark.npm, pytest.mark.slow]

VERSION = policy.load("pi").package.version
ACCEPTED = "dist/bundle/cli-runtime.js was accepted"
# Each way a tool has to a file: its content, itself, another in its place or beside it, and the folder.
CHANGES = """cd "$1" && file=$(find . -type f -size +100k | head -n 1) && folder=$(dirname "$file")
echo x >> "$file"; truncate -s 0 "$file"; cp /etc/hostname "$folder/new"; mv "$file" "$folder/other"
rm -rf "$file"; mkdir "$1/more"; rm -rf "$folder"; chmod 700 "$file"; ls > /dev/null && echo tried"""


@pytest.fixture
def compiled(box: NativeBox) -> Iterator[Path]:
    """The folder, as the first start made it."""
    assert box.run("pi", "--version", options=("--network", "none")).returncode == 0
    folder = INSTALLED / "pi" / VERSION / "compile-cache"
    yield folder
    shutil.rmtree(folder.with_name("aside"), ignore_errors=True)


def messages(box: NativeBox) -> str:
    """What Node says about its cache at a start of pi."""
    done = box.run("pi", "--version", options=("--network", "none", "-e", "NODE_DEBUG_NATIVE=COMPILE_CACHE"))
    assert done.returncode == 0, done.stderr
    assert VERSION in done.stdout
    return done.stdout + done.stderr


def test_pi_starts_from_what_was_compiled(box: NativeBox, compiled: Path) -> None:
    assert ACCEPTED in messages(box)
    compiled.rename(compiled.with_name("aside"))  # the control: an empty folder in its place
    compiled.mkdir()
    try:
        assert ACCEPTED not in messages(box)
    finally:
        compiled.rmdir()
        compiled.with_name("aside").rename(compiled)


def test_no_tool_can_change_it(box: NativeBox, compiled: Path) -> None:
    inside = "/usr/local/lib/agentbox/compile-cache" if box.bubblewrap else str(compiled)
    before = content(compiled)
    script = f"set -- {inside}; {CHANGES}; set -- {compiled}; {CHANGES}"
    assert "tried" in box.shell(script).stdout
    assert content(compiled) == before

    own = box.workspace / "cache"  # the control: the same on a copy that it may write
    shutil.copytree(compiled, own)
    if os.getuid() == 0:
        for path in (own, *own.rglob("*")):
            os.chown(path, UID, UID)
    own_inside = "/workspace/cache" if box.bubblewrap else str(own)
    box.shell(f"set -- {own_inside}; {CHANGES}")
    assert content(own) != before


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
