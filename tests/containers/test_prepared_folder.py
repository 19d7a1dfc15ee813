"""A session in a folder that an earlier tool prepared against the host (tests/malicious.py): it starts and ends as any other, nothing of
the folder runs on the host, nothing outside is seen or changed, and the lines about it are escaped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from boxes import Box, finished, own
from malicious import STEERING, prepare, snapshot

LOOK = "cat link-out gh_link .secrets folder-out/secret nested/.git; git -C nested log; git -C nested config -l; echo ended"
PLANT = f"mkdir -p '{STEERING}'; touch '{STEERING}/.envrc'; git config core.pager '{STEERING}'; "


@pytest.fixture
def mark(box: Box, tmp_path: Path) -> Path:
    found = prepare(box.workspace, tmp_path / "outside")
    for path in box.workspace.rglob("*"):
        if not path.is_symlink():
            own(path)
    return found


def agentbox(box: Box, *words: str) -> subprocess.CompletedProcess[str]:
    """As people call it: `python -m agentbox` takes modules from the folder that it is called in."""
    command = [str(Path(sys.executable).with_name("agentbox")), *words]
    return finished(command, 300, env=box.environment(), cwd=box.workspace)


def test_a_session_there_is_as_any_other(box: Box, mark: Path, tmp_path: Path) -> None:
    outside, inside = snapshot(tmp_path / "outside"), snapshot(box.workspace)
    done = agentbox(box, "shell", "pi", "--", "bash", "-c", PLANT + LOOK)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "ended"), done.stderr
    assert not mark.exists()
    assert "SECRET-OF-THE-HOST" not in done.stdout + done.stderr
    assert snapshot(tmp_path / "outside") == outside
    after = snapshot(box.workspace)
    changed = {Path(path).relative_to(box.workspace).parts[0] for path in after if after[path] != inside.get(path)}
    assert changed == {".git", STEERING}
    lines = [line for line in done.stderr.splitlines() if "agentbox: " in line or line.startswith("  ")]
    assert any("masked" in line for line in lines)
    assert any(r"\x1b]52;c" in line and ".envrc" in line for line in lines)
    assert not [char for line in lines for char in line if not char.isprintable()]
    audit = agentbox(box, "audit")
    assert not [char for char in audit.stdout if not char.isprintable() and char != "\n"]


def test_control_the_host_does_run_it(box: Box, mark: Path) -> None:
    subprocess.run(["git", "-c", "safe.directory=*", "status"], cwd=box.workspace, capture_output=True, check=False)
    assert mark.exists()


def test_a_project_that_loosens_starts_nothing(box: Box, mark: Path) -> None:
    (box.workspace / ".agentbox.toml").write_text('[network]\nmode = "open"\n')
    for words in (["run", "pi", "--", "--version"], ["shell", "pi", "--", "true"]):
        done = agentbox(box, *words)
        assert done.returncode == 2
        assert ".agentbox.toml:2" in done.stderr
    assert not mark.exists()
