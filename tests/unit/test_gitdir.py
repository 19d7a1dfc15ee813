"""Of git's folders a container gets what a worktree needs, and nothing that a malicious folder asks for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agentbox import gitcopy, gitdir, githooks, hostrun, identity, policy
from agentbox.errors import PolicyError, UsageError
from agentbox.gitplan import Cover, Plan
from agentbox.workspace import Mount

Planned = Callable[..., Plan]


def git(folder: Path, *words: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-c", "protocol.file.allow=always", "-c", "safe.directory=*", *words],
        cwd=folder, check=True, capture_output=True, env=environment,
    )  # fmt: skip


def own(*roots: Path) -> None:
    for root in roots:
        for path in (root, *root.rglob("*")):
            os.chown(path, 1000, 1000, follow_symlinks=False)


@pytest.fixture
def main(home: Path) -> Path:
    """A repository beside the project, which is made a worktree of it."""
    folder = home / "main"
    git(folder, "init", "-q")
    git(folder, "commit", "-qm", "x", "--allow-empty")
    (home / "project").rmdir()
    git(folder, "worktree", "add", "-q", str(home / "project"))
    own(folder, home / "project")
    return folder


@pytest.fixture
def submodule(home: Path) -> Path:
    git(home / "origin", "init", "-q")
    git(home / "origin", "commit", "-qm", "x", "--allow-empty")
    git(home / "super", "init", "-q")
    git(home / "super", "submodule", "add", "-q", str(home / "origin"), "lib/sub")
    own(home / "super")
    return home / "super/lib/sub"


@pytest.fixture
def plan(home: Path) -> Planned:
    def run(*folders: Path, others: tuple[set[str], ...] = ()) -> Plan:
        mounts = [Mount(each, f"/workspace{f'-{n}' if n > 1 else ''}") for n, each in enumerate(folders, 1)]
        found = gitdir.linked(mounts, identity.current(), list(others))
        githooks.protect(found, mounts, hostrun.look([*mounts, *found.mounts]).repositories, list(others))
        return found

    return run


def test_a_worktrees_repository_is_mounted_where_its_pointer_leads(home: Path, main: Path, plan: Planned):
    git(main, "worktree", "add", "-q", str(home / "third"))
    own(main)
    found = plan(home / "project")
    assert found.mounts == [Mount(main / ".git", str(main / ".git"))]
    assert found.covers == [Cover(main / ".git", "hooks", f"{main}/.git/hooks")]
    assert found.blanks == [f"{home}/project/.git", f"{home}/third/.git"]
    assert found.lines == [f"a git worktree: mounted its repository, {main}/.git"]


def test_relative_pointers_are_followed_as_the_container_will(home: Path, main: Path, plan: Planned):
    (home / "project/.git").write_text("gitdir: ../main/.git/worktrees/project\n")
    (main / ".git/worktrees/project/gitdir").write_text("../../../../project/.git\n")
    own(main, home / "project")
    found = plan(home / "project")
    assert found.mounts == [Mount(main / ".git", "/main/.git")]
    assert found.blanks == ["/project/.git"]


def change_pointer(text: str) -> Callable[[Path, Path], object]:
    return lambda project, main: (project / ".git").write_text(text.format(home=project.parent))


def planted(project: Path, record: Path) -> None:
    """A record that satisfies everything but what the test is about."""
    record.mkdir(parents=True)
    (record / "commondir").write_text("../..\n")
    (record / "gitdir").write_text(f"{project}/.git\n")
    (record / "HEAD").write_text("ref: refs/heads/x\n")


def as_repository(folder: Path) -> None:
    for name in ("objects", "refs"):
        (folder / name).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/x\n")


def no_repository(project: Path, main: Path) -> None:
    planted(project, project.parent / ".ssh/worktrees/x")
    (project / ".git").write_text(f"gitdir: {project.parent}/.ssh/worktrees/x\n")
    own(project.parent / ".ssh", project)


def inside_itself(project: Path, main: Path) -> None:
    as_repository(project / "fake")
    planted(project, project / "fake/worktrees/x")
    (project / ".git").write_text(f"gitdir: {project}/fake/worktrees/x\n")
    own(project)


def of_somebody_else(project: Path, main: Path) -> None:
    os.chown(main / ".git", 1234, 1234)


def another_commondir(project: Path, main: Path) -> None:
    (main / ".git/worktrees/project/commondir").write_text(f"{project.parent}/.ssh\n")


def link_to_a_record(project: Path, main: Path) -> None:
    """The record is real; the way to it is the folder's own."""
    (project / "worktrees").symlink_to(main / ".git/worktrees")
    (project / ".git").write_text("gitdir: worktrees/project\n")


def agents_state(project: Path, main: Path) -> None:
    as_repository(project.parent / ".pi")
    planted(project, project.parent / ".pi/worktrees/x")
    (project / ".git").write_text(f"gitdir: {project.parent}/.pi/worktrees/x\n")
    own(project.parent / ".pi", project)


def fifo(project: Path, main: Path) -> None:
    (main / ".git/worktrees/project/gitdir").unlink()
    os.mkfifo(main / ".git/worktrees/project/gitdir")


MALICIOUS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "outside": (change_pointer("gitdir: {home}/.ssh\n"), "cannot be read"),
    "missing": (change_pointer("gitdir: /nowhere/worktrees/x\n"), "is not there"),
    "other worktree": (change_pointer("gitdir: {home}/main/.git/worktrees/other\n"), "does not name this folder"),
    "no pointer": (change_pointer("ref: x\n"), "no pointer to a repository"),
    "two lines": (change_pointer("gitdir: a\nb\n"), "no pointer to a repository"),
    "escapes": (change_pointer("gitdir: a\x1b[2Jb\n"), "a\\x1b[2Jb"),
    "too long": (change_pointer("gitdir: /" + "a" * 9000), "is not there"),
    "no repository": (no_repository, "which is no repository"),
    "inside itself": (inside_itself, "inside the folder itself"),
    "of somebody else": (of_somebody_else, "which is not UID 1000's"),
    "another common folder": (another_commondir, "is no worktree's record"),
    "link to a record": (link_to_a_record, "has no place in the container"),
    "agent's state": (agents_state, "an agent's state"),
    "fifo": (fifo, "malformed"),
}


@pytest.mark.parametrize("case", MALICIOUS)
def test_a_malicious_pointer_mounts_nothing(home: Path, main: Path, plan: Planned, case: str):
    git(main, "worktree", "add", "-q", str(home / "other"))
    (home / ".ssh").mkdir()
    own(main, home / "other", home / ".ssh")
    change, why = MALICIOUS[case]
    change(home / "project", main)
    found = plan(home / "project")
    assert (found.mounts, found.pins) == ([], [])
    (line,) = found.lines
    assert why in line
    assert line.isprintable()


def test_a_pointer_that_is_a_link_is_not_followed(home: Path, main: Path, plan: Planned):
    (home / "project/.git").rename(home / "real")
    (home / "project/.git").symlink_to("../real")
    assert plan(home / "project").mounts == []


def test_a_submodules_repository_is_mounted_so_that_both_pointers_hold(home: Path, submodule: Path, plan: Planned):
    found = plan(submodule)
    there = "/.superproject/.git/modules/lib/sub"
    assert found.mounts == [Mount(home / "super/.git/modules/lib/sub", there)]
    assert found.hollows == [there]
    assert found.links == {"/.git/modules/lib/sub": there, "/.superproject/lib/sub": "/workspace"}
    assert [cover.target for cover in found.covers] == [f"{there}/hooks"]


@pytest.mark.parametrize("tree", ["../../../../lib", "/etc", "../../../../..", None])
def test_a_submodules_repository_that_does_not_name_the_folder_is_not_mounted(
    home: Path, submodule: Path, plan: Planned, tree: str | None
):
    config = home / "super/.git/modules/lib/sub/config"
    config.write_text(f"[core]\nworktree = {tree}\n" if tree else "")
    found = plan(submodule)
    assert (found.mounts, found.links, found.hollows) == ([], {}, [])
    assert len(found.lines) == 1


def test_what_is_refused_leaves_no_link(home: Path, submodule: Path, plan: Planned):
    os.chown(home / "super/.git/modules/lib/sub", 1234, 1234)
    found = plan(submodule)
    assert (found.mounts, found.links, found.hollows) == ([], {}, [])


def test_records_of_worktrees_make_no_mount_in_the_image_or_the_agents_home(home: Path, main: Path, plan: Planned):
    bad = [
        "/etc/x/.git",
        "/home/agent/.pi/.git",
        "/workspace/x/.git",
        "/agent/.git",
        "/usr/.git",
        "/opt/hermes/x/.git",
        "/entrypoint.sh/.git",
        "/x",
        "/.git",
        "/a/../etc/.git",
    ]
    for number, text in enumerate([*bad, "/a/.git", "/a/.git/b/.git"]):
        (main / f".git/worktrees/{number}").mkdir()
        (main / f".git/worktrees/{number}/gitdir").write_text(text + "\n")
    assert plan(home / "project").blanks == ["/a/.git", f"{home}/project/.git"]


def test_nothing_is_bound_that_a_running_container_could_exchange(home: Path, main: Path, plan: Planned):
    repository, project = main / ".git", home / "project"
    assert plan(project, others=({str(project)},)).mounts
    assert plan(main, others=({str(main), str(repository)},)).pins
    assert plan(project, others=({str(main), str(repository)},)).mounts
    for others in ({str(main)}, {str(home)}, {str(home), str(repository)}):
        found = plan(project, others=(set(), others))
        assert found.mounts == []
        assert "which a running container could exchange" in found.lines[0]
        assert plan(main, others=(others,)).pins == []


def test_hooks_of_repositories_near_the_top_are_covered(home: Path, plan: Planned):
    project = home / "project"
    for place in (".", "a", "a/b", "a/b/c"):
        git(project / place, "init", "-q")
    found = plan(project)
    assert [each.target for each in found.covers] == [f"/workspace/{each}.git/hooks" for each in ("", "a/", "a/b/")]
    assert found.pins == [Mount(project / ".git", "/workspace/.git")]


@pytest.mark.parametrize("place", [".git/hooks", ".git"])
def test_links_are_not_bound(home: Path, plan: Planned, place: str):
    project = home / "project"
    git(project, "init", "-q")
    (home / ".ssh").mkdir()
    shutil.rmtree(project / place)
    (project / place).symlink_to(home / ".ssh")
    found = plan(project)
    assert found.covers == []
    assert [pin.source for pin in found.pins] == ([project / ".git"] if place == ".git/hooks" else [])


def test_names_that_cannot_be_mounted_are_told_and_stop_nothing(home: Path, plan: Planned):
    git(home / "project", "init", "-q")
    odd = Path(os.fsdecode(bytes(home / "project") + b"/a\xff\n"))
    git(odd, "init", "-q")
    found = plan(home / "project")
    assert [cover.target for cover in found.covers] == ["/workspace/.git/hooks"]
    (line,) = found.lines
    assert line.endswith(r"/a\udcff\n/.git/hooks: no name that can be mounted: hooks can be changed inside")


def test_a_repository_without_hooks_gets_none(home: Path, plan: Planned):
    git(home / "project", "init", "-q", "--template=")
    assert plan(home / "project").covers == []
    assert not (home / "project/.git/hooks").exists()


def test_copies_have_links_and_modes_and_leave_special_files_out(tmp_path: Path):
    hooks = tmp_path / "root/.git/hooks"
    (hooks / "more").mkdir(parents=True)
    (hooks / "run").write_text("run")
    (hooks / "run").chmod(0o700)
    (hooks / "more/read").write_text("read")
    (hooks / "link").symlink_to("/etc/shadow")
    (hooks / "folder").symlink_to("/etc")
    os.mkfifo(hooks / "fifo")
    assert gitcopy.copy(Cover(tmp_path / "root", ".git/hooks", "/x"), tmp_path / "copy")
    found = {str(path.relative_to(tmp_path / "copy")): path for path in (tmp_path / "copy").rglob("*")}
    assert set(found) == {"run", "more", "more/read", "link", "folder"}
    assert found["run"].stat().st_mode & 0o777 == 0o755
    assert found["more/read"].stat().st_mode & 0o777 == 0o644
    assert str(found["link"].readlink()) == "/etc/shadow"
    assert found["folder"].is_symlink()


@pytest.mark.parametrize("where", ["sub", "sub/.git", "sub/.git/hooks"])
def test_copies_follow_no_link_that_was_put_in_the_way(tmp_path: Path, where: str):
    """The control is the same place before it is exchanged."""
    cover = Cover(tmp_path / "root", "sub/.git/hooks", "/x")
    (tmp_path / "root/sub/.git/hooks").mkdir(parents=True)
    assert gitcopy.copy(cover, tmp_path / "control")
    place = tmp_path / "root" / where
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")
    assert not gitcopy.copy(cover, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("much", ["files", "bytes"])
def test_more_than_anybodys_hooks_are_refused(tmp_path: Path, much: str):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for number in range(600 if much == "files" else 2):
        with (hooks / str(number)).open("w") as file:
            file.truncate(0 if much == "files" else 9 << 20)
    with pytest.raises(UsageError, match="cannot be shown read-only: more than 512 files or 16 MiB"):
        gitcopy.copy(Cover(tmp_path, "hooks", "/x"), tmp_path / "copy")


def test_the_user_may_lift_it_and_a_workspace_may_not(home: Path, call: Callable[..., tuple[int, str, str]]):
    user = home / "config.toml"
    assert policy.load("pi", user, home / "project").hooks == "read"
    user.write_text('[workspace]\nhooks = "write"\n')
    assert policy.load("pi", user, home / "project").hooks == "write"
    user.unlink()
    (home / "project/.agentbox.toml").write_text('[workspace]\nhooks = "write"\n')
    with pytest.raises(PolicyError, match="may not be set by a workspace"):
        policy.load("pi", user, home / "project")


def test_the_printed_model_has_pins_and_covers(home: Path, call: Callable[..., tuple[int, str, str]]):
    git(home / "project", "init", "-q")
    code, out, _ = call("compose", "pi", "--network", "open", "--json")
    volumes = {row["target"]: row for row in json.loads(out)["services"]["pi"]["volumes"]}
    assert code == 0
    assert volumes["/workspace/.git"]["source"] == f"{home}/project/.git"
    assert "read_only" not in volumes["/workspace/.git"]
    assert volumes["/workspace/.git/hooks"]["read_only"] is True
    assert volumes["/workspace/.git/hooks"]["source"] == f"{home}/project/.git/hooks"
