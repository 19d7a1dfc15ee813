"""What a session leaves for the host to run: hooks it cannot plant, the rest is reported; and git works all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from boxes import GID, NO_BROKER, UID, Box, finished, own
from test_masks import vanishing
from test_session import WAIT

HOOK = "printf '#!/bin/sh\\ntouch %s\\n' {proof} > {hook} && chmod 755 {hook}"
IDENTITY = "export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@y GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@y; "
WRITABLE = '[workspace]\nhooks = "write"\n'


def host(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """The user at home, with a git that knows no other configuration than the repository's."""
    folder.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    user = {"user": UID, "group": GID, "extra_groups": []} if os.getuid() == 0 else {}
    return finished(["bash", "-ec", IDENTITY + script], cwd=folder, env=environment, **user)


def repository(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    own(folder)
    done = host(folder, "git init -qb main; echo a > a; git add a; git commit -qm one")
    assert done.returncode == 0, done.stderr
    return folder


def tool(box: Box, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    return box.agentbox("shell", *NO_BROKER, *options, "--", "bash", "-c", IDENTITY + script)


PLANTS = {
    "write": "{plant}",
    "move the hooks": "mv .git/hooks .git/old; mkdir .git/hooks; {plant}",
    "remove the hooks": "rm -rf .git/hooks; mkdir .git/hooks; {plant}",
    "link in their place": "mkdir h; mv -T --exchange .git/hooks h || ln -sfnT ../h .git/hooks; {plant}",
    "move the repository": "mv .git old; cp -r old .git; {plant}",
    "exchange the repository": "cp -r .git other; mv -T --exchange other .git; {plant}",
    "rename over": "{other}; mv -f h .git/hooks/pre-commit",
    "hard link": "{other}; ln -f h .git/hooks/pre-commit",
    "git init": "mkdir -p t/hooks; {template}; git init -q --template=t",
}


@pytest.mark.parametrize("lifted", [False, True], ids=["read", "control"])
@pytest.mark.parametrize("name", PLANTS)
def test_no_planted_hook_runs_at_the_next_commit(box: Box, tmp_path: Path, name: str, lifted: bool):
    repository(box.workspace)
    if lifted:
        box.put(".config/agentbox/config.toml", WRITABLE)
        host(box.workspace, "rm .git/hooks/*")
    proof = tmp_path / "proof"
    proof.mkdir(mode=0o777)
    own(proof)
    parts = {
        "plant": HOOK.format(proof=proof / "ran", hook=".git/hooks/pre-commit"),
        "other": HOOK.format(proof=proof / "ran", hook="h"),
        "template": HOOK.format(proof=proof / "ran", hook="t/hooks/pre-commit"),
    }
    done = tool(box, PLANTS[name].format(**parts))
    committed = host(box.workspace, "echo b >> a; git commit -qam two")
    assert committed.returncode == 0, committed.stderr
    assert (proof / "ran").exists() == lifted, done.stderr
    assert ("new .git/hooks/pre-commit: git hook" in " ".join(done.stderr.split())) == lifted


def test_hooks_of_nested_repositories_are_read_only_too(box: Box):
    repository(box.workspace)
    repository(box.workspace / "nested")
    done = tool(box, "echo x > nested/.git/hooks/pre-commit")
    assert "Read-only file system" in done.stderr
    box.put(".config/agentbox/config.toml", WRITABLE)
    assert "Read-only" not in tool(box, "echo x > nested/.git/hooks/pre-commit").stderr


MOVE = "mv nested old; cp -r old nested; echo exit 1 > nested/.git/hooks/pre-commit; chmod 755 nested/.git/hooks/*"


def test_a_hook_in_a_copy_of_a_nested_repository_is_reported(box: Box):
    repository(box.workspace / "nested")
    assert "new nested/.git/hooks/pre-commit: git hook" in " ".join(tool(box, MOVE).stderr.split())


@pytest.mark.xfail(strict=True, reason="only a folder's own .git is pinned: a nested repository can be moved away")
def test_no_hook_is_planted_in_a_copy_of_a_nested_repository(box: Box):
    nested = repository(box.workspace / "nested")
    tool(box, MOVE)
    assert host(nested, "git commit -qm two --allow-empty").returncode == 0


WORK = """set -e
git init -q; git switch -qc topic; echo b > b; git add b; git commit -qm topic
git switch -q main; echo c > c; git add c; git commit -qm main
git switch -q topic; git rebase -q main; git switch -q main; git merge -q topic
echo d >> a; git stash -q; git stash pop -q; git commit -qam more; git gc -q --aggressive; git repack -adq
git config user.name x; git remote add origin /nowhere; git worktree add -q /tmp/w
git worktree remove /tmp/w; git clone -q . clone; rm -rf clone; git reset -q --hard; git clean -fdxq; git fsck --strict; git status --short
"""


def test_git_works_with_read_only_hooks_and_runs_them(box: Box):
    repository(box.workspace)
    hook = HOOK.format(proof="/tmp/hook-ran", hook=".git/hooks/post-commit")
    assert host(box.workspace, hook).returncode == 0
    done = tool(box, WORK + "test -e /tmp/hook-ran && git log --format=%s | tr '\\n' ' '")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "more topic main one "
    assert "run later" not in done.stderr


def test_a_repository_without_hooks_is_left_without(box: Box):
    repository(box.workspace)
    host(box.workspace, "rm -r .git/hooks")
    assert tool(box, "git status").returncode == 0
    assert not (box.workspace / ".git/hooks").exists()
    lines = tool(box, "mkdir .git/hooks; echo x > .git/hooks/pre-commit").stderr
    assert "new .git/hooks/pre-commit: git hook" in " ".join(lines.split())


def test_hooks_that_vanish_before_the_start_are_not_made_anew(box: Box):
    """The engine makes them, root's, to have something to mount on."""
    repository(box.workspace)
    environment = vanishing(box, ".git/hooks")
    argv = [sys.executable, "-m", "agentbox", "shell", "--", "ls", "-d", ".git/hooks"]
    done = finished(argv, env=environment, cwd=box.workspace)
    assert done.stdout == ".git/hooks\n", done.stderr  # the control: the engine has made them
    assert not (box.workspace / ".git/hooks").exists()


def test_the_report_names_what_the_host_runs_later_and_keeps_the_exit_code(box: Box):
    repository(box.workspace)
    quiet = tool(box, "echo x > Makefile; git commit -qam x; exit 3")
    assert (quiet.returncode, quiet.stderr) == (3, "")
    proof = "/workspace/ran"
    done = tool(
        box, f"git config core.fsmonitor 'touch {proof}'; echo x > .envrc; cp /bin/true s; chmod 4755 s; exit 4"
    )
    assert done.returncode == 4
    assert [" ".join(line.split()) for line in done.stderr.splitlines()] == [
        "agentbox: changed meanwhile, and run later by this machine: 3 files to look at first",
        "new s: set-user-ID",
        f"changed .git/config: git: core.fsmonitor = touch {proof}",
        "new .envrc: direnv",
    ]


def test_the_reported_key_is_one_that_the_host_runs(box: Box):
    """The control of the report: nothing else than that line stands between this and the host."""
    repository(box.workspace)
    tool(box, f"git config core.fsmonitor 'touch {box.workspace}/ran #'")
    host(box.workspace, "git status")
    assert (box.workspace / "ran").exists()


def worktree(box: Box) -> Path:
    """A repository of which the box's folder is a worktree, and another folder too."""
    own(box.workspace.parent)
    main = repository(box.workspace.parent / "main")
    box.workspace.rmdir()
    done = host(main, f"git worktree add -q {box.workspace} -b topic; git worktree add -q ../other -b other")
    assert done.returncode == 0, done.stderr
    return main


def test_a_worktree_works_and_its_hooks_are_read_only(box: Box):
    main = worktree(box)
    script = "set -e; echo b >> a; git commit -qam two; git gc -q; git init -q; git worktree list;"
    done = tool(box, f"{script} ! echo x > {main}/.git/hooks/pre-commit")
    assert done.returncode == 0, done.stderr
    assert f"agentbox: a git worktree: mounted its repository, {main}/.git\n" in done.stderr
    assert f"{box.workspace} " in done.stdout
    assert host(main, "git log -1 --format=%s topic").stdout == "two\n"
    assert host(box.workspace, "git status --short").stdout == ""


def test_control_without_its_repository_a_worktree_is_none(box: Box):
    main = worktree(box)
    (main / ".git/worktrees/project/gitdir").write_text("/elsewhere/.git\n")
    done = tool(box, f"git status; ls {main}")
    assert "does not name this folder; not mounted, git will not work there" in done.stderr
    assert "not a git repository" in done.stderr
    assert f"cannot access '{main}'" in done.stderr


def records(main: Path) -> list[str]:
    return sorted(path.name for path in (main / ".git/worktrees").iterdir())


@pytest.mark.parametrize("folder", ["main", "project"])
def test_records_of_worktrees_survive_a_prune_inside(box: Box, folder: str):
    main = worktree(box)
    assert tool(box, "git worktree prune; git gc -q --prune=now", "-w", str(main.parent / folder)).returncode == 0
    assert records(main) == ["other", "project"]


def test_control_plain_docker_prunes_them(box: Box, images, tmp_path: Path):
    main = worktree(box)
    command = ["docker", "run", "--rm", f"--user={UID}:{GID}", f"--volume={main}:/workspace", "--entrypoint=git"]
    finished([*command, images("pi"), "worktree", "prune"])
    assert not (main / ".git/worktrees").exists() or records(main) == []


def test_control_gc_takes_old_records_where_the_image_does_not_say_never(box: Box, images):
    main = worktree(box)
    for path in (main / ".git/worktrees").rglob("*"):
        os.utime(path, (1, 1))
    command = [
        "docker",
        "run",
        "--rm",
        f"--user={UID}:{GID}",
        f"--volume={main}:/workspace",
        "--entrypoint=git",
        images("pi"),
    ]
    assert finished([*command, "gc", "-q"]).returncode == 0
    assert records(main) == ["other", "project"]
    assert finished([*command, "-c", "gc.worktreePruneExpire=3.months.ago", "gc", "-q"]).returncode == 0
    assert not (main / ".git/worktrees").exists() or records(main) == []


def test_a_submodule_works(box: Box):
    own(box.workspace.parent)
    repository(box.workspace.parent / "origin")
    outer = repository(box.workspace.parent / "outer")
    add = "git -c protocol.file.allow=always submodule add -q ../origin lib/sub; git commit -qm sub"
    assert host(outer, add).returncode == 0
    script = "set -e; git rev-parse --show-toplevel; echo b >> a; git commit -qam two; git gc -q; git status --short"
    done = tool(box, script, "-w", str(outer / "lib/sub"))
    assert (done.returncode, done.stdout) == (0, "/workspace\n"), done.stderr
    assert host(outer / "lib/sub", "git log -1 --format=%s").stdout == "two\n"
    assert "lib/sub" in host(outer, "git status --short").stdout


@pytest.mark.parametrize("how", ["file", "link", "hooks"])
def test_a_folder_that_points_outside_gets_nothing_of_the_host(box: Box, tmp_path: Path, how: str):
    """The control is that the same secret in the folder itself is read."""
    outside = tmp_path / "private"
    for name in ("objects", "refs", "hooks"):
        (outside / name).mkdir(parents=True)
    (outside / "HEAD").write_text("ref: refs/heads/main\n")
    (outside / "hooks/key").write_text("SECRET\n")
    repository(box.workspace)
    host(box.workspace, "rm -r .git/hooks" if how == "hooks" else "mv .git g")
    if how == "file":
        (box.workspace / ".git").write_text(f"gitdir: {outside}\n")
    else:
        (box.workspace / (".git/hooks" if how == "hooks" else ".git")).symlink_to(
            outside / ("hooks" * (how == "hooks"))
        )
    (box.workspace / "key").write_text("SECRET\n")
    look = f"cat .git/hooks/key .git/key {outside}/hooks/key; grep -rls SECRET / --include=key --exclude-dir=proc --exclude-dir=sys"
    done = tool(box, look)
    assert done.stdout == "/workspace/key\n"
    assert (outside / "hooks/key").read_text() == "SECRET\n"


def test_git_folder_that_a_running_container_made_is_not_bound(box: Box, tmp_path: Path):
    """It could put a link to anything there in the moment before the engine mounts it."""
    extra = tmp_path / "extra"
    extra.mkdir()
    own(extra)
    options = ("-w", str(extra), "-w", str(box.workspace))
    move = "cd /workspace-2; mv .git g && mv g .git && echo moved"
    argv = [sys.executable, "-m", "agentbox", "shell", "--", "bash", "-c", "git init -q; echo ready; read x"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(argv, env=box.environment(), cwd=box.workspace, **pipes) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"ready\n"
        assert tool(box, move, *options).stdout == "moved\n"
        first.communicate(b"\n", WAIT)
    assert tool(box, move, *options).stdout == ""
