"""What a person types to the agent, a key at a login perhaps, and who else hears it."""

from __future__ import annotations

import os
import pty
import subprocess

import pytest
from native_box import UID, NativeBox
from typist import type_when_ready

pytestmark = [pytest.mark.npm, pytest.mark.slow]

# A tool in a session of its own, as agents start theirs. Inside, the terminal has another name with bubblewrap.
LISTENER = "for each in /dev/console {}; do setsid head -n 1 $each; done > {} 2>&1 &"


def typed(box: NativeBox, *, outside: bool) -> tuple[str, str]:
    """Type a word into a shell, beside a tool or a program outside that listens: what the shell got, and the other."""
    ours, theirs = pty.openpty()
    name, heard = os.ttyname(theirs), box.workspace / "heard"
    os.chown(name, UID, -1)
    ids = {"user": UID, "group": UID, "extra_groups": []}
    if outside:
        subprocess.Popen(["bash", "-c", LISTENER.format(name, heard)], **ids)  # type: ignore[call-overload]
        listener = ""
    else:
        listener = LISTENER.format(name, f"{box.inside}/heard")
    script = f"{listener}\nsleep 1; echo rea''dy; read line; echo shell got $line"
    words = [*box.words("shell", "pi", "--engine", "native", "--network", "none"), "--", "bash", "-c", script]
    pipes = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    process = subprocess.Popen(words, cwd=box.workspace, env=box.environment(), **pipes, **ids)  # type: ignore[call-overload]
    os.close(theirs)
    said = type_when_ready(ours, 60)
    process.wait()
    os.close(ours)
    return said, heard.read_text() if heard.exists() else ""


def test_a_tool_does_not_hear_what_is_typed(box: NativeBox) -> None:
    said, heard = typed(box, outside=False)
    assert "shell got TYPED" in said
    assert "TYPED" not in heard
    assert "ermission denied" in heard


def test_control_a_program_outside_hears_it(box: NativeBox) -> None:
    _, heard = typed(box, outside=True)
    assert "TYPED" in heard
