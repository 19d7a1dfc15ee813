"""What a person types to the agent, a key at a login perhaps, and who else hears it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable

import pytest
from boxes import Box
from typist import type_when_ready

# A tool in a session of its own, as agents start theirs.
LISTENER = "exec setsid sh -c 'head -n 1 {} > /workspace/heard 2>&1'"


def typed(box: Box, listener: str) -> tuple[str, str]:
    """Type a word into a shell in a container, beside a tool that listens: what the shell got, and the tool."""
    script = f"({listener}) & sleep 1; echo rea''dy; read line; echo shell got $line"
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "agentbox", "shell", "pi", "--network", "none", "--", "bash", "-c", script]
    pipes = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with subprocess.Popen(words, cwd=box.workspace, env=box.environment(), start_new_session=True, **pipes) as process:  # type: ignore[call-overload]
        os.close(theirs)
        said = type_when_ready(ours, 120)
        process.kill()
    os.close(ours)
    heard = box.workspace / "heard"
    return said, heard.read_text() if heard.exists() else ""


@pytest.mark.xfail(
    strict=True, reason="/dev/pts/0 is the user's own to open; Landlock cannot tell it from a tool's own"
)
def test_a_tool_does_not_hear_what_is_typed(box: Box, images: Callable[[str], str]) -> None:
    images("pi")
    said, heard = typed(box, LISTENER.format("/dev/pts/0"))
    assert "ready" in said
    assert "TYPED" not in heard


def test_control_the_shell_hears_it(box: Box, images: Callable[[str], str]) -> None:
    images("pi")
    said, heard = typed(box, LISTENER.format("/dev/null"))
    assert "shell got TYPED" in said
    assert "TYPED" not in heard
