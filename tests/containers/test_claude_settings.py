"""Claude's .claude.json: kept, restored from the newest backup, or begun without the wizard."""

from __future__ import annotations

import json
import os

from boxes import Box

SETTINGS = ".claude/.claude.json"


def settings_after_start(box: Box) -> dict[str, object]:
    run = box.run("claude", "--version")
    assert run.returncode == 0, run.stderr
    loaded: dict[str, object] = json.loads((box.home / SETTINGS).read_text())
    return loaded


def put_backup(box: Box, age: int, content: dict[str, object] | str) -> None:
    file = box.put(f".claude/backups/.claude.json.backup.{1_700_000_000_000 - age}", content)
    os.utime(file, (1_700_000_000 - age, 1_700_000_000 - age))


def test_missing_settings_come_from_the_newest_backup_that_holds_something(box: Box) -> None:
    put_backup(box, 300, {"marker": "older"})
    put_backup(box, 200, {"marker": "newest", "hasCompletedOnboarding": True})
    put_backup(box, 100, "")
    assert settings_after_start(box)["marker"] == "newest"


def test_settings_that_are_there_stay(box: Box) -> None:
    put_backup(box, 100, {"marker": "backup"})
    box.put(SETTINGS, {"marker": "own"})
    assert settings_after_start(box)["marker"] == "own"


def test_without_any_the_wizard_is_skipped(box: Box) -> None:
    assert settings_after_start(box)["hasCompletedOnboarding"] is True
    assert (box.home / SETTINGS).stat().st_mode & 0o777 == 0o600
