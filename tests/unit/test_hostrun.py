"""What a session changed that the host runs later is listed, whatever it is called; ordinary work is not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from agentbox import gitconfig, hostrun
from agentbox.hostrun_table import FILES, KEYS, PARTS
from agentbox.workspace import Mount

Session = Callable[..., list[str]]


def git(folder: Path, *words: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ("-c", "user.name=x", "-c", "user.email=x@y", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, env=environment)


def put(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    git(folder, "init", "-q")
    return folder


@pytest.fixture
def session(work: Path) -> Session:
    """The report's lines, without the first, about what `change` does to the folder."""

    def run(change: Callable[[], object], read_only: bool = False, most: int = 10_000) -> list[str]:
        mounts = [Mount(work, "/workspace", read_only)]
        before = hostrun.look(mounts, most)
        change()
        lines = hostrun.report(before, mounts, most)
        assert all("\n" not in line and line.isprintable() for line in lines)
        return [" ".join(line.split()) for line in lines if line.startswith(" ")]

    return run


def test_each_name_of_the_table_counts_when_new_and_when_changed(work: Path):
    rows = [name + "inner/file" if name.endswith("/") else name.replace("*", "any") for name in FILES]
    names = {f"deep/er/{row}" for row in rows} | {row.upper() for row in rows}
    mounts = [Mount(work, "/workspace")]
    states = [hostrun.look(mounts)]
    for text in ("one", "two", "two"):
        for name in names:
            put(work / name, text)
        states.append(hostrun.look(mounts))
    found = [hostrun.changes(before, after) for before, after in pairwise(states)]
    new, changed, same = ({(str(Path(each.path).relative_to(work)), each.new) for each in step} for step in found)
    assert new == {(name, True) for name in names}
    assert changed == {(name, False) for name in names}
    assert same == set()


def test_ordinary_work_is_not_listed(work: Path, session: Session):
    names = (
        "a.py Makefile setup.py conftest.py Dockerfile README.md AGENTS.md src/config hooks/x .claude/worktrees/w/a.py"
    )
    names += " node_modules/p/package.json node_modules/p/.vscode/tasks.json"

    def change() -> None:
        for name in names.split():
            put(work / name, json.dumps({"scripts": {"test": "x"}}))

    assert session(change) == []


def test_each_key_of_the_table_counts(tmp_path: Path):
    values = ("./run.sh", "!./run.sh", "ext::./run.sh")
    wanted = set()
    for key, form in KEYS.items():
        name = {"pager.*": "pager.log", "alias.*": "alias.st"}.get(key, key.replace(".*cmd", ".tocmd"))
        name = name.replace("*", "any.Thing")
        value = next(value for value in values if re.match(form, value))
        git(tmp_path, "config", "--file", "config", name, value)
        wanted.add((name.lower(), value))
    pairs = gitconfig.dangerous((tmp_path / "config").read_bytes())
    assert {(key.lower(), value) for key, value in pairs or ()} == wanted


def test_keys_that_run_nothing_are_not_listed(work: Path, session: Session):
    harmless = {"user.name": "x", "core.fsmonitor": "true", "pager.log": "false", "alias.st": "status"}
    harmless |= {"remote.origin.url": "https://example.org/x", "branch.main.remote": "origin", "core.bare": "false"}

    def change() -> None:
        for key, value in harmless.items():
            git(work, "config", key, value)

    assert session(change) == []


SPELLINGS = [
    '[core]\n\tFSMonitor = "./x"', "[CORE] fsmonitor=./x", "[core] ; comment\nfsmonitor = .\\\n/x", '[core]\nfsmonitor="./"x # y',
    "[user]name=x\n[core]fsmonitor=./x\n[user]",
]  # fmt: skip


@pytest.mark.parametrize("text", SPELLINGS)
def test_configuration_is_read_as_git_reads_it(work: Path, session: Session, text: str):
    """The control is git itself: it takes all of these for the same."""
    (line,) = session(lambda: (work / ".git/config").write_text(f"[core]\nrepositoryformatversion=0\n{text}\n"))
    asked = subprocess.run(["git", "config", "core.fsmonitor"], cwd=work, capture_output=True, text=True, check=True)
    assert asked.stdout == "./x\n"
    assert line == "changed .git/config: git: core.fsmonitor = ./x"


def test_configuration_that_git_cannot_read_or_that_is_too_large_is_listed(work: Path, session: Session):
    assert session(lambda: (work / ".git/config").write_text("[core\n")) == ["changed .git/config: git"]
    (line,) = session(lambda: (work / ".git/config").write_text("#" * (2 << 20)))
    assert line == "changed .git/config: git: cannot be read: is larger than 1 MiB"


def test_what_configuration_leads_to_is_looked_into(work: Path, session: Session):
    git(work, "config", "include.path", "../extra")
    git(work, "config", "core.hooksPath", "my-hooks")
    git(work, "config", "filter.f.clean", "tools/clean.sh --fast")
    put(work / "extra", "[include]\npath = extra\n[include]\npath = second\n")
    put(work / "second", "[user]\nname = x\n")

    def change() -> None:
        put(work / "second", "[diff]\nexternal = evil\n[include]\npath = extra\n")
        put(work / "my-hooks/pre-push")
        put(work / "tools/clean.sh")

    assert session(change) == [
        "changed second: git: diff.external = evil; include.path = extra",
        "new tools/clean.sh: git (filter.f.clean)",
        "new my-hooks/pre-push: git hook",
    ]


def test_hooks_of_every_repository_below_are_listed(work: Path, session: Session):
    git(work / "a/b/nested", "init", "-q")
    git(work / "origin", "init", "-q")
    git(work / "origin", "commit", "-qm", "x", "--allow-empty")
    git(work, "submodule", "add", "-q", "./origin", "lib/sub")
    git(work / "bare", "init", "-q", "--bare", ".")
    places = [".git", "a/b/nested/.git", ".git/modules/lib/sub", "bare"]

    def change() -> None:
        for place in places:
            put(work / place / "hooks/post-commit")
            put(work / place / "hooks/post-update.sample", "changed, and harmless")
            with (work / place / "config").open("a") as config:
                config.write("[core]\nsshCommand = evil\n")

    assert session(change) == [
        *(f"changed {place}/config: git: core.sshcommand = evil" for place in sorted(places)),
        *(f"new {place}/hooks/post-commit: git hook" for place in sorted(places)),
    ]


def test_a_hook_that_becomes_executable_is_listed(work: Path, session: Session):
    put(work / ".git/hooks/pre-commit")
    assert session(lambda: (work / ".git/hooks/pre-commit").chmod(0o755)) == ["changed .git/hooks/pre-commit: git hook"]


def test_a_folder_that_is_moved_into_place_is_listed(work: Path, session: Session):
    """No file in it changes, not even its times."""
    git(work / "fixture", "init", "-q")
    git(work / "fixture", "config", "core.editor", "evil")

    def change() -> None:
        shutil.rmtree(work / ".git")
        (work / "fixture/.git").rename(work / ".git")

    assert session(change) == ["changed .git/config: git: core.editor = evil"]


def test_a_git_file_that_points_elsewhere_is_listed(work: Path, session: Session):
    def change() -> None:
        (work / ".git").rename(work / "real")
        (work / ".git").write_text("gitdir: elsewhere/evil\n")

    assert session(change)[0] == "new .git: git: gitdir: elsewhere/evil"


def test_links_count_themselves_and_what_they_lead_to(work: Path, session: Session):
    put(work / "elsewhere/tasks.json")

    def change() -> None:
        (work / ".vscode").symlink_to("elsewhere")
        (work / ".envrc").symlink_to("/etc/profile")
        (work / ".idea").symlink_to("/etc")
        (work / "loop").symlink_to(".")
        (work / ".husky").symlink_to(".husky")

    assert session(change) == [
        "new .husky: git hook",
        "new .idea: JetBrains IDEs",
        "new .vscode: VS Code",
        "new elsewhere/tasks.json: VS Code",
        "new .envrc: direnv",
    ]


def test_only_the_scripts_of_package_json_count(work: Path, session: Session):
    put(work / "package.json", json.dumps({"scripts": {"test": "x"}, "dependencies": {}}))
    more = {"scripts": {"test": "x"}, "dependencies": {"a": "1"}, "version": "2"}
    assert session(lambda: put(work / "package.json", json.dumps(more))) == []
    more["scripts"] = {"test": "x", "prepare": "evil"}
    assert session(lambda: put(work / "package.json", json.dumps(more))) == [
        "changed package.json: runs by name: scripts.prepare = evil"
    ]
    deep = "[" * 100_000
    assert session(lambda: put(work / "package.json", deep)) == ["changed package.json: runs by name"]


def test_attributes_that_name_a_driver_count(work: Path, session: Session):
    assert session(lambda: put(work / ".gitattributes", "* text=auto\n# a filter=x\n")) == []
    (line,) = session(lambda: put(work / ".gitattributes", "* text=auto\n*.c filter=evil\n"))
    assert line == "changed .gitattributes: git: *.c filter=evil"


def test_new_set_user_id_files_are_listed_wherever_they_are(work: Path, session: Session):
    def change() -> None:
        put(work / "node_modules/x/suid")
        (work / "node_modules/x/suid").chmod(0o4755)
        os.utime(work / "node_modules/x/suid", (1, 1))

    assert "new node_modules/x/suid: set-user-ID" in session(change)


def test_names_cannot_forge_the_report(work: Path, session: Session):
    name = "a\n\x1b]52;c;eA==\x07\udcff/.envrc"
    assert session(lambda: put(work / name)) == [r"new a\n\x1b]52;c;eA==\x07\udcff/.envrc: direnv"]
    (line,) = session(lambda: git(work, "config", "core.pager", "a\x1b[2J\nnew README: fine"))
    assert line == r"changed .git/config: git: core.pager = a\x1b[2J\nnew README: fine"


def test_many_files_of_one_kind_do_not_drown_the_others(work: Path, session: Session):
    def change() -> None:
        for number in range(500):
            put(work / f".claude/{number}")
        put(work / "z/.envrc")
        put(work / ".git/hooks/pre-commit")

    lines = session(change)
    assert lines[0] == "new .git/hooks/pre-commit: git hook"
    assert lines[-1] == "new z/.envrc: direnv"
    assert "… and 492 more: Claude Code" in lines
    assert len(lines) < 15


def test_the_bound_is_stated_and_what_is_near_the_top_found(work: Path, session: Session):
    def change() -> None:
        put(work / ".envrc")
        for number in range(60):
            put(work / f"deep/{number}/{number}/f")

    lines = session(change, most=100)
    assert lines[0] == "new .envrc: direnv"
    assert lines[-1] == "the search ended after 100 files and folders: look through the rest yourself"


def test_what_blocks_or_is_no_file_is_listed_and_not_read(work: Path, session: Session):
    def change() -> None:
        (work / ".git/config").unlink()
        os.mkfifo(work / ".git/config")
        os.mkfifo(work / ".envrc")
        os.mkfifo(work / "package.json")

    assert sorted(session(change)) == [
        "changed .git/config: git",
        "new .envrc: direnv",
        "new package.json: runs by name",
    ]


def test_a_read_only_folder_is_not_looked_into(work: Path, session: Session):
    assert session(lambda: put(work / ".envrc"), read_only=True) == []


def test_nothing_of_a_workspace_is_run_by_looking(work: Path, session: Session, tmp_path: Path):
    """The control is git in that folder, which does run it."""
    proof = tmp_path / "ran"
    put(work / "run.sh", f"#!/bin/sh\ntouch {proof}\n")
    (work / "run.sh").chmod(0o755)

    def change() -> None:
        for key in ("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external", "alias.config"):
            git(work, "config", key, f"!{work}/run.sh" if key.startswith("alias") else f"{work}/run.sh")

    assert len(session(change)) >= 1
    assert not proof.exists()
    git(work, "status")
    assert proof.exists()


def test_many_repositories_and_keys_end_in_time_and_are_listed(work: Path, session: Session):
    """Of more configuration than is read, any change counts."""

    def change() -> None:
        for number in range(300):
            for name in ("objects", "refs"):
                (work / f"r/{number:03}" / name).mkdir(parents=True)
            put(work / f"r/{number:03}/config", "[core]\npager = evil\n")
        put(work / ".git/config", "[core]\n" + "pager = a b c d e f g h\n" * 40_000)

    lines = session(change)
    assert lines[0] == "changed .git/config: git: core.pager = a b c d e f g h"
    assert "… and 293 more: git" in lines


@pytest.mark.xfail(strict=True, reason="people run these on purpose, and a diff shows them")
@pytest.mark.parametrize("name", ["Makefile", "conftest.py", "setup.py", "eslint.config.js", "CLAUDE.md"])
def test_what_a_build_a_test_or_a_linter_loads_is_listed(work: Path, session: Session, name: str):
    assert session(lambda: put(work / name)) != []


@pytest.mark.xfail(strict=True, reason="what a package manager installed is not looked into")
def test_programs_of_installed_packages_are_listed(work: Path, session: Session):
    assert session(lambda: put(work / "node_modules/.bin/eslint")) != []


@pytest.mark.xfail(strict=True, reason="a program that a changed file runs in turn is not followed")
def test_what_a_hook_runs_in_turn_is_listed(work: Path, session: Session):
    put(work / ".git/hooks/pre-commit", "exec tools/check.sh\n")
    assert session(lambda: put(work / "tools/check.sh")) != []


def test_tables_are_written_as_they_are_compared():
    for name in (*FILES, *PARTS, *KEYS):
        assert name == name.lower()
        assert name.removesuffix("/").count("/") <= 1
