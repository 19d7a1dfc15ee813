"""What both in-process guards write down of a refusal: bounded, without content, and never in the way of the refusal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FULL = 1 << 20
SOURCE = """
const [root, policy, tool, path] = process.argv.slice(1);
const { parsePolicy } = require(root + '/js/policy.js');
const { Guard, denial } = require(root + '/js/guard.js');
const { READ } = require(root + '/js/rules.js');
const guard = new Guard();
guard.add(parsePolicy(JSON.parse(policy)));
const found = guard.check(path, READ);
console.log(found === null ? '' : denial(tool, path, found).message);
"""
SCRIPT = """
import json, sys
root, policy, tool, path = sys.argv[1:]
sys.path.insert(0, root + "/containers/guard")
import agentbox_guard
print(agentbox_guard.Guard(json.loads(policy)).refusal(tool, {"path": path}, "/") or "")
"""
Refuse = Callable[[str, str], str]


@pytest.fixture(params=["python", "javascript"])
def refuse(request: pytest.FixtureRequest, tmp_path: Path) -> Refuse:
    """Calls the guard as `tool` on a path; returns what it says."""
    policy = {
        "version": 2, "agent": "test", "tree": "/agent", "audit": str(tmp_path / "records"), "deny": [".env"], "paths": [],
        "read": [], "write": [], "frames": [], "readers": ["read"], "spawners": [],
    }  # fmt: skip
    command = {"python": [sys.executable, "-c", SCRIPT], "javascript": ["node", "-e", SOURCE]}[request.param]

    def call(tool: str, path: str) -> str:
        words = [*command, str(ROOT), json.dumps(policy), tool, path]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
        assert done.stderr == ""
        return done.stdout.strip()

    return call


def test_a_refusal_is_a_line_without_content(refuse: Refuse, tmp_path: Path) -> None:
    records, secret = tmp_path / "records", tmp_path / ".env"
    secret.write_text("TOP-SECRET")
    records.touch()
    before = time.time()
    assert "protected by name .env" in refuse("read", str(secret))
    assert refuse("read", str(tmp_path / "plain")) == ""
    (line,) = records.read_text().splitlines()
    found = json.loads(line)
    assert before - 1 <= found.pop("time") <= time.time() + 1
    expected = {"agent": "test", "layer": "guard", "operation": "read", "path": str(secret), "rule": "name .env"}
    assert found == expected
    assert "TOP-SECRET" not in line


def test_lines_of_several_refusals_follow_each_other(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "records").write_text('{"time": 1}\n')
    for _ in range(2):
        refuse("read", "/w/.env")
    assert len([json.loads(line) for line in (tmp_path / "records").read_text().splitlines()]) == 3


def test_a_line_is_bounded_and_one(refuse: Refuse, tmp_path: Path) -> None:
    (tmp_path / "records").touch()
    assert refuse("read\n", "/w/" + "\x1b\n\u202e" * 900 + "/.env")
    (line,) = (tmp_path / "records").read_bytes().splitlines()
    assert len(line) < 16 << 10
    assert json.loads(line)["operation"] == "read\n"


@pytest.mark.parametrize("kind", ["missing", "symlink", "pipe", "folder", "full", "device"])
def test_records_that_cannot_be_written_change_nothing(refuse: Refuse, tmp_path: Path, kind: str) -> None:
    records, other = tmp_path / "records", tmp_path / "other"
    other.touch()
    if kind == "symlink":
        records.symlink_to(other)
    elif kind == "pipe":
        os.mkfifo(records)
    elif kind == "folder":
        records.mkdir()
    elif kind == "full":
        records.write_bytes(b"x" * FULL)
    elif kind == "device":
        records.symlink_to("/dev/full")
    assert "protected by name .env" in refuse("read", "/w/.env")
    assert other.read_bytes() == b""
    if kind == "missing":
        assert not records.exists()
    if kind == "full":
        assert records.stat().st_size == FULL
