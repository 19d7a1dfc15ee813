"""Secrets of a workspace are covered in the container, for the agent and its tools, and stay as they are on the host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from boxes import AGENTS, NO_BROKER, Box, own
from fake_model import FakeModel, Read, Shell
from test_session import WAIT, left_behind

SECRET = "TOKEN=of-the-mask-test"
LOOK = "grep -rs --devices=read 'of-the-mask-test' /workspace* | sort"


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SECRET + "\n")
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            own(path)


def tool(box: Box, script: str, *options: str) -> str:
    """What a shell in a new container prints on stdout."""
    done = box.agentbox("shell", *NO_BROKER, *options, "--", "bash", "-c", script)
    assert "agentbox: container" not in done.stderr
    return done.stdout


def state(root: Path) -> dict[str, tuple[object, ...]]:
    """All that masking could change on the host."""
    infos = {str(path.relative_to(root)): path.lstat() for path in sorted(root.rglob("*"))}
    return {name: (i.st_ino, i.st_mode, i.st_uid, i.st_size, i.st_mtime_ns, i.st_nlink) for name, i in infos.items()}


def test_tools_find_no_secret_and_the_host_keeps_them(box: Box):
    put(box.workspace, ".env", "api/.env.local", ".secrets/a/b", "gh_token", "n/node_modules/p/.env", ".env.example")
    (box.workspace / "prod.txt").write_text(SECRET)
    (box.workspace / "api" / ".env").symlink_to("../prod.txt")
    os.link(box.workspace / ".env", box.workspace / "hard")
    before = state(box.workspace)
    done = box.shell("pi", LOOK)
    assert done.stdout == f"/workspace/.env.example:{SECRET}\n"
    line = "agentbox: masked .env, .secrets, gh_token and 4 more (--unmask GLOB shows them)\n"
    assert line in done.stderr
    assert tool(box, "find .env .secrets hard prod.txt -printf '%p %s%y|'") == (
        ".env 0f|.secrets 40d|hard 0f|prod.txt 0f|"
    )
    assert state(box.workspace) == before


def test_control_without_masks_they_find_all(box: Box):
    put(box.workspace, ".env", ".secrets/a/b", "gh_token")
    done = box.agentbox("shell", "--no-mask", "--", "bash", "-c", LOOK)
    assert done.stdout.splitlines() == [f"/workspace/{name}:{SECRET}" for name in (".env", ".secrets/a/b", "gh_token")]
    assert "masked" not in done.stderr
    assert tool(box, LOOK, "--unmask", "gh_*") == f"/workspace/gh_token:{SECRET}\n"


@pytest.mark.parametrize(("options", "seen"), [((), False), (("--no-mask",), True)], ids=["masked", "control"])
def test_the_agents_own_read_tool_gets_an_empty_file(box: Box, gateway: str, options: tuple[str, ...], seen: bool):
    """Claude Code reads in its own process, with raw system calls, which no interposer sees."""
    put(box.workspace, ".env")
    agent = AGENTS["claude"]
    with FakeModel([Read("/workspace/.env"), Shell("cat /workspace/.env")], host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        # Its in-process guard knows the name too, whatever is masked.
        box.put(".config/agentbox/config.toml", '[guard]\ndeny = ["-.env"]\n')
        done = box.run("claude", *agent.turn, options=(*agent.options, *options))
        assert done.returncode == 0, done.stderr
        assert len(model.results) == 2
        assert [SECRET in result for result in model.results] == [seen, seen]


# Each prints `failed` where it did not work; without the mask each works.
CHANGES = {
    "write": "echo x > .env",
    "append": "echo x >> .env",
    "unlink": "rm -f .env",
    "rename": "mv .env other",
    "rename over": "echo x > new; mv -f new .env",
    "exchange": "mv --exchange .env .env.example",
    "truncate": "truncate -s 0 .env",
    "chmod": "chmod 777 .env",
    "hard link": "ln .env other",
    "folder: write": "touch .secrets/new",
    "folder: remove": "rm -r .secrets",
    "folder: rename": "mv .secrets other",
    "remove all": "rm -rf sub; test ! -e sub",
    "git clean": "git clean -fdxq; test ! -e sub/.env",
    "git stash": "git stash -q && git stash pop -q",
    "git checkout": "git checkout -qf clean; test ! -e .env",
}


def repository(box: Box) -> Path:
    """A workspace whose .env is tracked on `main`, as it should not be, and not on `clean`."""
    put(box.workspace, ".env", ".env.example", ".secrets/x", "sub/.env", "sub/other")
    script = "git init -qb main; git add .env; git commit -qm one; git switch -qc clean; git rm -q --cached .env;"
    script += "git commit -qm two; git switch -qf main; echo TOKEN=of-the-mask-test-changed > .env"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-c", "safe.directory=*"]
    for line in script.split(";"):
        words = line.split()
        if words[0] == "git":
            subprocess.run([*git, *words[1:]], cwd=box.workspace, check=True, capture_output=True)
    (box.workspace / ".env").write_text(SECRET + "-changed\n")
    put(box.workspace)
    return box.workspace


@pytest.mark.parametrize("name", CHANGES)
def test_no_tool_changes_a_masked_file(box: Box, name: str):
    work = repository(box)
    before = state(work)
    seen = tool(box, f"git config user.name x; git config user.email x; ({CHANGES[name]}) 2>&1 || echo failed")
    assert "failed" in seen
    after = state(work)
    assert (work / ".env").read_text() == SECRET + "-changed\n"
    for path in (".env", ".secrets", ".secrets/x", "sub/.env"):
        assert after[path] == before[path], path


@pytest.mark.parametrize("name", CHANGES)
def test_control_without_the_mask_it_does(box: Box, name: str):
    repository(box)
    setup = "git config user.name x; git config user.email x@y;"
    assert "failed" not in tool(box, f"{setup} ({CHANGES[name]}) 2>&1 || echo failed", "--no-mask")


def test_mask_moves_along_with_the_folder_around_it(box: Box):
    put(box.workspace, "a/b/.env", "a/.secrets/x")
    assert tool(box, f"mv a z && mv z/b z/c && {LOOK}; ls -A z/c z/.secrets") == "z/.secrets:\n\nz/c:\n.env\n"
    assert (box.workspace / "z/c/.env").read_text() == (box.workspace / "z/.secrets/x").read_text() == SECRET + "\n"


def test_folder_moved_where_it_is_not_looked_for_is_masked_at_the_next_start(box: Box):
    put(box.workspace, "api/.env", "api/gh_token", "lib/.secrets/x")
    script = "mkdir -p .git/refs node_modules/x.example; mv api .git/refs/; mv lib node_modules/x.example/"
    tool(box, script)
    assert tool(box, LOOK) == ""
    assert len(tool(box, LOOK, "--no-mask").splitlines()) == 3


@pytest.mark.parametrize("attack", ["umount .env", "unshare -Urm umount .env", "unshare -Urm mount --bind . /tmp"])
def test_mask_cannot_be_taken_off(box: Box, attack: str):
    put(box.workspace, ".env")
    assert tool(box, f"{attack} 2>/dev/null && echo worked; {LOOK}") == ""


@pytest.mark.parametrize("name", ["a b", "a\nb", "a:b", "a,b", "$HOME", "*", "ä", 'a"b', "a\\b", "-x"])
def test_folder_of_any_name(box: Box, name: str):
    put(box.workspace, f"{name}/.env", f"{name}/.secrets/x")
    before = state(box.workspace)
    assert tool(box, f"find . -type f; {LOOK}").replace(name, "N") == "./N/.env\n"
    assert tool(box, f"{LOOK} | grep -c {SECRET}", "--no-mask") == "2\n"
    assert state(box.workspace) == before


def test_name_that_is_not_utf_8_is_refused_before_anything_starts(box: Box):
    put(box.workspace, os.fsdecode(b"caf\xe9/.env"))
    done = box.shell("pi", LOOK)
    assert (done.returncode, done.stdout) == (2, "")
    assert "caf\\udce9/.env: cannot be masked: its name is not UTF-8" in done.stderr
    assert SECRET in tool(box, "cat */.env", "--unmask", ".env")


def test_fifo_that_hands_out_secrets_is_covered(box: Box):
    """Password stores do that: whoever reads the file gets the secret from a process."""
    os.mkfifo(box.workspace / ".env", 0o644)
    own(box.workspace / ".env")
    ends = "timeout 5 cat .env"
    with subprocess.Popen(["sh", "-c", f"echo {SECRET} > .env"], cwd=box.workspace) as writer:
        assert tool(box, ends) == ""
        assert tool(box, ends, "--no-mask") == SECRET + "\n"
        writer.wait(WAIT)


def test_folders_mounted_twice_read_only_and_inside_one_another(box: Box):
    put(box.workspace, ".env", "sub/.env", "sub/deep/.secrets/x")
    sub = str(box.workspace / "sub")
    options = ("-w", ".", "-w", sub, "--mount", f"{sub}:ro", "--mount", f"{box.workspace}:ro")
    assert tool(box, LOOK, *options) == ""
    assert len(tool(box, LOOK, *options, "--no-mask").splitlines()) == 10


def test_configuration_and_workspace_add_to_the_list(box: Box):
    put(box.workspace, "deploy.key", "config/prod.json", "config/dev.json")
    box.put(".config/agentbox/config.toml", '[mask]\nglobs = ["config/prod.json"]\n')
    (box.workspace / ".agentbox.toml").write_text('[mask]\nglobs = ["*.key"]\n')
    assert tool(box, LOOK) == f"/workspace/config/dev.json:{SECRET}\n"
    (box.workspace / ".agentbox.toml").write_text('[mask]\nexcept = ["*"]\n')
    assert "mask.except may not be set by a workspace" in box.shell("pi", LOOK).stderr


def test_many_masks_start(box: Box):
    put(box.workspace, *(f"{number}/.env" for number in range(256)))
    assert tool(box, f"{LOOK}; ls */.env | wc -l") == "256\n"
    put(box.workspace, "one/more/.env")
    assert "257 files match the mask list" in box.shell("pi", LOOK).stderr


def test_nothing_is_left_after_kill_9(box: Box):
    put(box.workspace, ".env", ".secrets/x")
    before = state(box.workspace)
    argv = [sys.executable, "-m", "agentbox", "shell", "--", "sh", "-c", "cat .env; echo ready; sleep 600"]
    process = subprocess.Popen(argv, env=box.environment(), cwd=box.workspace, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGKILL)
    process.wait(WAIT)
    process.stdout.close()
    assert state(box.workspace) == before
    box.agentbox("clean")
    assert left_behind(box) == []
    assert state(box.workspace) == before


def vanishing(box: Box, *names: str) -> dict[str, str]:
    """An environment in which Compose removes those files before it starts: they vanish after the search."""
    plugins = box.home / "docker/cli-plugins"
    plugins.mkdir(parents=True)
    real = subprocess.run(
        ["sh", "-c", "ls /usr/*/docker/cli-plugins/docker-compose /usr/*/*/docker/cli-plugins/docker-compose"],
        capture_output=True,
        text=True,
        check=False,
    )
    program = real.stdout.split()[0]
    removed = " ".join(str(box.workspace / name) for name in names)
    (plugins / "docker-compose").write_text(f'#!/bin/sh\nrm -rf {removed}\nexec {program} "$@"\n')
    (plugins / "docker-compose").chmod(0o755)
    return {**box.environment(), "DOCKER_CONFIG": str(plugins.parent)}


def test_file_that_vanishes_before_the_start_is_not_made_anew(box: Box):
    put(box.workspace, ".env", "sub/.secrets/x", "stays/.env")
    environment = vanishing(box, ".env", "sub/.secrets")
    argv = [sys.executable, "-m", "agentbox", "shell", "--", "sh", "-c", "ls -d .env sub/.secrets"]
    done = subprocess.run(argv, env=environment, cwd=box.workspace, capture_output=True, text=True, check=False)
    assert done.stdout == ".env\nsub/.secrets\n", done.stderr  # the control: the engine has made them
    assert sorted(state(box.workspace)) == ["stays", "stays/.env", "sub"]


@pytest.mark.xfail(strict=True, reason="the kernel takes a mount off what is replaced from another mount namespace")
def test_file_replaced_on_the_host_stays_masked(box: Box):
    """As some editors save, `sed -i` and `git checkout` write: a new file takes the place of the old one."""
    put(box.workspace, ".env")
    argv = [sys.executable, "-m", "agentbox", "shell", "--", "sh", "-c", "echo ready; read x; cat .env"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(argv, env=box.environment(), cwd=box.workspace, **pipes)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    put(box.workspace, "new")
    (box.workspace / "new").replace(box.workspace / ".env")
    assert process.communicate(b"\n", WAIT)[0] == b""


@pytest.mark.xfail(strict=True, reason="masks are made when a container starts")
def test_file_that_appears_after_the_start_is_masked(box: Box):
    assert SECRET not in tool(box, f"echo {SECRET} > .env; cat .env")


@pytest.mark.xfail(strict=True, reason="nothing can be mounted on a symlink, and a tool can remove it")
def test_target_of_a_symlink_is_masked_at_the_next_start_too(box: Box):
    put(box.workspace, "plain")
    (box.workspace / ".env").symlink_to("plain")
    assert tool(box, f"{LOOK}; rm .env") == ""
    assert tool(box, LOOK) == ""


@pytest.mark.xfail(strict=True, reason="a folder may be moved, and then its path is another")
def test_file_masked_by_its_path_is_masked_at_the_next_start_too(box: Box):
    put(box.workspace, "config/prod.json")
    box.put(".config/agentbox/config.toml", '[mask]\nglobs = ["config/prod.json"]\n')
    assert tool(box, f"{LOOK}; mv config moved") == ""
    assert tool(box, LOOK) == ""


@pytest.mark.xfail(strict=True, reason="what was committed is in .git, which is the agent's to use")
def test_committed_secret_is_masked(box: Box):
    repository(box)
    assert SECRET not in tool(box, "git -c safe.directory=* show main:.env")
