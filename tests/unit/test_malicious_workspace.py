"""Every command, in a folder that an agent's tool prepared: nothing of it runs on the host, nothing outside changes, and what is
printed of it steers no terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from malicious import PROGRAMS, prepare, snapshot

AGENTBOX = Path(sys.executable).with_name("agentbox")
LOOSER = '[network]\nmode = "open"\n[mask]\nglobs = ["-.env"]\n'
# Each command, and how it may end: without an engine those that need one fail.
COMMANDS = {
    "agents": 0,
    "audit": 0,
    "compose pi": 0,
    "compose pi --json --unmask=gh_*": 0,
    "config pi --origin": 0,
    "config check .agentbox.toml": 2,
    "config schema": 0,
    "init": 2,
    "doctor": 0,
    "completion bash": 0,
    "ps": 0,
    "run pi": 125,
    "shell pi": 125,
    "build pi": 125,
    "allow --here docs.example": 0,
    "allow": 0,
}


@pytest.fixture
def mark(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = prepare(home / "project", tmp_path / "outside")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody-listens")
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9")  # the native engine gets as far as this
    monkeypatch.setenv("PATH", f".:bin::{os.environ['PATH']}")
    return found


def call(words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(AGENTBOX), *words.split()],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("words", COMMANDS)
def test_nothing_of_it_runs_and_nothing_outside_changes(mark: Path, home: Path, tmp_path: Path, words: str) -> None:
    if words.startswith("config check"):
        Path(".agentbox.toml").write_text(LOOSER)
    if words == "init":
        Path(".agentbox.toml").symlink_to(tmp_path / "outside/secret")
    before = snapshot(tmp_path / "outside"), snapshot(home / "project")
    done = call(words)
    assert not mark.exists()
    assert done.returncode == COMMANDS[words], done.stderr
    assert (snapshot(tmp_path / "outside"), snapshot(home / "project")) == before
    text = done.stdout + done.stderr
    assert not [char for char in text if not char.isprintable() and char not in "\n\t"]
    assert "SECRET-OF-THE-HOST" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    "words", ["config pi", "config pi --json", "config check .agentbox.toml", "run pi", "compose pi"]
)
@pytest.mark.parametrize(
    "text", ['[mask]\nglobs = ["\u202e\\u202e\u200b"]\n', '["\u202e\\u001b[2J"]\n"\\u009b\u2066" = 1\n', "\u202e = 1"]
)
def test_a_project_file_steers_no_terminal(mark: Path, words: str, text: str) -> None:
    Path(".agentbox.toml").write_text(text)
    done = call(words)
    assert not [char for char in done.stdout + done.stderr if not char.isprintable() and char != "\n"]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", ["run pi", "compose pi", "config pi"])
def test_a_project_that_loosens_starts_nothing(mark: Path, home: Path, words: str) -> None:
    Path(".agentbox.toml").write_text(LOOSER)
    done = call(words)
    assert done.returncode == 2
    assert ".agentbox.toml:2" in done.stderr
    assert not mark.exists()
    assert not (home / ".local/state/agentbox/run").exists()


@pytest.mark.parametrize(
    "words",
    [
        "git status",
        "git diff",
        f"{sys.executable} -c 'import click'",
        f"{sys.executable} -m json.tool",
        "docker",
        "docker compose ps",
        "./bin/docker",
    ],
)
def test_control_the_traps_are_armed(mark: Path, words: str) -> None:
    """What people type in that folder, with the same PATH, does run them."""
    subprocess.run(words, shell=True, capture_output=True, timeout=60, check=False)
    assert mark.exists()


def test_docker_is_not_taken_from_a_relative_folder_on_path(mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentbox.engine import find_docker

    for path in (".", "", "bin", "./bin", ".:bin:", "../project"):
        monkeypatch.setenv("PATH", path)
        assert find_docker() is None, path
        assert not path or shutil.which("docker", path=path)  # the control
    monkeypatch.setenv("PATH", str(Path.cwd()))
    assert find_docker() == str(Path.cwd() / "docker")


@pytest.mark.parametrize("words", [*COMMANDS, "run pi --engine native", "run pi -w {workspace}"])
def test_programs_of_a_virtual_environment_in_it_are_passed_over(
    mark: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """As `activate` puts it on PATH, here with all traps in it."""
    monkeypatch.setenv("PATH", f"{home}/project/bin:{home}/project:{os.environ['PATH']}")
    for name in PROGRAMS:
        if "/" not in name:
            shutil.copy2(name, "bin")
    if "{" in words:
        monkeypatch.chdir(tmp_path)
    call(words.format(workspace=home / "project"))
    assert not mark.exists()
    subprocess.run(["git", "--version"], check=False)
    assert mark.exists(), "the control: the shell takes them from there"


def test_the_systems_programs_stay_and_a_folder_that_is_gone_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentbox import programs

    monkeypatch.chdir("/usr")
    assert programs.here() == []
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    assert programs.here() == [tmp_path / "gone"]
    (tmp_path / "gone").rmdir()
    assert programs.here() == []


@pytest.mark.parametrize("variable", ["", "PYTHONPATH"])
def test_a_folder_that_agentbox_itself_is_run_from_is_no_workspace(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    from agentbox import identity, workspace
    from agentbox.errors import UsageError

    project = home / "project"
    who = identity.current()
    workspace.resolve([(str(project), False)], who, allow_home=False)  # the control
    if variable:
        monkeypatch.setenv(variable, f"/nowhere:{project}/src")
    else:
        monkeypatch.setattr(sys, "prefix", str(project / ".venv"))
    with pytest.raises(UsageError, match="agentbox itself is run from"):
        workspace.resolve([(str(project), False)], who, allow_home=False)
    workspace.resolve([(str(project), True)], who, allow_home=False)
