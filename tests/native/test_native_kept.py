"""What a start keeps for the next one, so that it need not ask again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from native_box import NativeBox

pytestmark = [pytest.mark.npm, pytest.mark.slow]


# A box of which bubblewrap is the only way.
with_bubblewrap = pytest.mark.parametrize("box", ["bubblewrap"], indirect=True)


@pytest.fixture
def bwrap(box: NativeBox) -> Path:
    """A bubblewrap of this box's own that writes down how it is called."""
    folder = box.home.parent / "own"
    folder.mkdir()
    program = folder / "bwrap"
    program.write_text(f'#!/bin/sh\necho "$@" >>{box.home}/calls\nexec {shutil.which("bwrap")} "$@"\n')
    program.chmod(0o755)
    box.put("calls", "")
    box.extra = {"PATH": f"{folder}:{box.environment()['PATH']}"}
    return program


def trials(box: NativeBox) -> int:
    return sum(line.endswith(" true") for line in (box.home / "calls").read_text().splitlines())


@with_bubblewrap
def test_whether_bubblewrap_works_is_asked_once(box: NativeBox, bwrap: Path) -> None:
    for _ in range(2):
        assert box.shell("echo started").stdout == "started\n"
    assert trials(box) == 1
    os.utime(bwrap, (1, 1))  # as an upgrade would
    assert box.shell("echo started").stdout == "started\n"
    assert trials(box) == 2


@with_bubblewrap
def test_where_it_no_longer_works_one_start_fails_and_the_next_is_without_it(box: NativeBox, bwrap: Path) -> None:
    assert box.shell("echo started").stdout == "started\n"
    times = bwrap.stat().st_mtime_ns
    bwrap.write_text("#!/bin/sh\necho 'bwrap: no namespace for you' >&2\nexit 1\n")
    os.utime(bwrap, ns=(times, times))
    failed = box.shell("echo started")
    assert (failed.returncode, failed.stdout) == (125, "")
    assert "bwrap: no namespace for you" in failed.stderr
    again = box.shell("echo started")
    assert again.stdout == "started\n", again.stderr
    assert "no namespace for you), so Landlock alone" in again.stderr
