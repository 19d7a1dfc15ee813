"""What is masked in a folder: found by name, whatever the name, and by no other name left open."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agentbox import identity, mask, policy, workspace
from agentbox.errors import UsageError
from agentbox.mask import Masks, Wish

Find = Callable[..., Masks]


@pytest.fixture
def project(home: Path) -> Path:
    return home / "project"


@pytest.fixture
def find(project: Path) -> Find:
    """The masks of the project (or of `folders`), with [mask] as in `config` and the options in `wish`."""

    def run(*folders: Path, config: str = "", tightened: str = "", allow_home: bool = False, **wish: object) -> Masks:
        user = project.parent / "config.toml"
        user.write_text(config)
        if tightened:
            (project / ".agentbox.toml").write_text(tightened)
        who = identity.current()
        wanted = [(str(folder), False) for folder in folders or (project,)]
        mounts = workspace.resolve(wanted, who, allow_home=allow_home)
        return mask.find(policy.load("pi", user, project).mask, mounts, who, Wish(**wish))

    return run


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("secret")


def targets(found: Masks) -> set[str]:
    return {item.target.removeprefix("/workspace/") + "/" * item.folder for item in found.places}


SECRETS = [
    ".env", ".env.local", ".ENV", "api/.env.production", "a/b/c/d/.env", "gh_token", "GH_x", "node_modules/p/.env",
    ".secrets", "x/.secrets/deep/token", ".env.example.local",
]  # fmt: skip
HARMLESS = [
    ".env.example", ".env.sample", "a/.env.TEMPLATE", "env", ".envrc", "my.env", "gh/x",
    ".env.d/x", "gh_folder/x", "xgh_", ".secret",
]  # fmt: skip


def test_default_list(find: Find, project: Path):
    put(project, *SECRETS, *HARMLESS)
    assert targets(find()) == {*SECRETS, "x/.secrets/"} - {"x/.secrets/deep/token"}


def test_branch_is_no_token_but_a_token_among_branches_is(find: Find, project: Path):
    put(project, ".git/refs/heads/gh_token", ".git/x/.env", "refs/gh_x")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-C", str(project)]
    for words in ("init -q -b gh_pages", "commit -q --allow-empty -m one", "commit -q --allow-empty -m two"):
        subprocess.run([*git, *words.split()], check=True)
    assert (project / ".git/refs/heads/gh_pages").is_file()
    assert (project / ".git/logs/refs/heads/gh_pages").is_file()
    assert targets(find()) == {".git/refs/heads/gh_token", ".git/x/.env", "refs/gh_x"}


@pytest.mark.parametrize("name", ["a b", "a\nb", "a:b", "$HOME", "*", "[x]", "ä", 'a"b', "a\\b", "-x", "\x1b[31m"])
def test_folder_of_any_name(find: Find, project: Path, name: str):
    put(project, f"{name}/.env", f"{name}/.secrets/x")
    found = find()
    assert targets(found) == {f"{name}/.env", f"{name}/.secrets/"}
    assert all(text.isprintable() for text in found.names)


@pytest.mark.parametrize("name", [b".env.\xff", b"caf\xe9/.env"])
def test_name_that_cannot_be_expressed_is_refused_not_left_open(find: Find, project: Path, name: bytes):
    put(project, os.fsdecode(name))
    with pytest.raises(UsageError, match="not UTF-8") as caught:
        find()
    assert caught.value.lines().isprintable() or "\n" in caught.value.lines()
    assert targets(find(show=(".env*",))) == set()


def test_path_that_is_too_long_is_refused(find: Find, project: Path):
    with contextlib.chdir(project):
        for _ in range(20):
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
        Path(".env").write_text("secret")
        with pytest.raises(UsageError, match="too long"):
            find()


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_what_is_no_regular_file_is_covered_too(find: Find, project: Path, kind: str):
    if kind == "fifo":
        os.mkfifo(project / ".env")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(".env")
    assert targets(find()) == {".env"}


def test_symlink_stands_for_its_target(find: Find, project: Path):
    put(project, "shared/prod", "vault/a", "vault/b", "real/x")
    (project / ".env").symlink_to("shared/prod")
    (project / ".secrets").symlink_to("vault")
    (project / "node").mkdir()
    (project / "node" / ".env").symlink_to(project / "real" / "x")
    assert targets(find()) == {"shared/prod", "vault/", "real/x"}


def test_symlink_to_what_the_container_does_not_see_is_no_mask(find: Find, project: Path, home: Path):
    put(home, "elsewhere/prod", "elsewhere/folder/x")
    put(project, ".env.example", "src/x")
    for name, target in {
        ".env": home / "elsewhere/prod",
        "a/.secrets": home / "elsewhere/folder",
        "b/.secrets": "..",
        "g/h/.secrets": "..",
        "c/.env": "nowhere",
        "d/.env": ".env",
        "e/.env": "../.env.example",
        "f/.env": "../src",
        ".secrets": "/",
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).symlink_to(target)
    assert targets(find()) == {"g/"}


def test_link_out_of_a_masked_folder(find: Find, project: Path):
    put(project, "config/prod", ".secrets/token")
    (project / ".secrets" / "prod").symlink_to("../config/prod")
    os.link(project / ".secrets" / "token", project / "copy")
    assert targets(find()) == {".secrets/", "config/prod", "copy"}


def test_hard_links_are_found_under_every_name(find: Find, project: Path, home: Path):
    put(project, ".env", "other", ".git/config")
    for name in ("backup", ".git/hidden", "sub/.env.example"):
        (project / name).parent.mkdir(exist_ok=True)
        os.link(project / ".env", project / name)
    (home / "second").mkdir()
    os.link(project / ".env", home / "second" / "x")
    assert targets(find(project, home / "second")) == {
        ".env", "backup", ".git/hidden", "sub/.env.example", "/workspace-2/x",
    }  # fmt: skip


def test_folder_mounted_twice_or_inside_another_is_masked_at_each_place(find: Find, project: Path):
    put(project, "api/.env", "api/v1/.env")
    (project / ".env").symlink_to("api/plain")
    put(project, "api/plain")
    names = {".env", "v1/.env", "plain"}
    expected = {f"api/{name}" for name in names} | {f"/workspace-{n}/{name}" for n in (2, 3) for name in names}
    assert targets(find(project, project / "api", project / "api")) == expected


def test_folder_named_on_the_command_line_is_shown_whatever_its_name(find: Find, project: Path):
    put(project, ".secrets/token", ".secrets/.env")
    assert targets(find(project, project / ".secrets")) == {".secrets/", "/workspace-2/.env"}


def test_unreadable_folder_is_covered_whole(find: Find, project: Path, monkeypatch: pytest.MonkeyPatch):
    put(project, "closed/.env", "open/.env")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert targets(find()) == {"closed/", "open/.env"}


def test_what_vanishes_during_the_search_is_no_error(find: Find, project: Path, monkeypatch: pytest.MonkeyPatch):
    put(project, "gone/.env", ".env")
    scandir = os.scandir

    def vanish(path: str) -> object:
        if path.endswith("gone"):
            raise FileNotFoundError(2, "No such file or directory")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanish)
    assert targets(find()) == {".env"}


def test_too_many_files_to_search_is_refused(find: Find, project: Path):
    put(project, *(f"d/{number}" for number in range(50)))
    with pytest.raises(UsageError, match="more than 49 files and folders") as caught:
        find(config="[mask]\nentries = 49\n")
    assert "--no-mask" in caught.value.hint
    assert find(config="[mask]\nentries = 51\n").places == []
    assert find(config='[mask]\nentries = 49\nskip = ["d"]\n').places == []
    assert find(config="[mask]\nentries = 49\n", off=True).places == []


def test_more_masks_than_can_be_mounted_are_refused_and_a_folder_is_the_way_out(find: Find, project: Path):
    put(project, *(f"fixtures/{number}/.env" for number in range(100)), *(f"p/.env.{number}" for number in range(157)))
    with pytest.raises(UsageError, match="257 files match the mask list, 157 of them in /workspace/p;"):
        find()
    assert len(find(config='[mask]\nglobs = ["fixtures/"]\n').places) == 158
    assert len(find(show=("p/.env.1",)).places) == 256


def test_unmask_by_name_path_and_kind(find: Find, project: Path):
    put(project, ".env", "api/.env", "api/v1/.env", ".secrets/x", ".secrets/.env", "gh_token")
    (project / "link").mkdir()
    (project / "link" / ".env.prod").symlink_to("../plain")
    put(project, "plain")
    everything = {".env", "api/.env", "api/v1/.env", ".secrets/", "gh_token", "plain"}
    for show, left in {
        (): everything,
        (".env",): {".secrets/", "gh_token", "plain"},
        ("api/.env",): everything - {"api/.env"},
        ("./api/*",): everything - {"api/.env", "api/v1/.env"},
        ("/.env",): everything - {".env"},
        ("**/.env",): {".secrets/", "gh_token", "plain"},
        (".secrets/",): everything - {".secrets/"} | {".secrets/.env"},
        (".env.*",): everything - {"plain"},
        ("plain",): everything - {"plain"},
        ("gh_*", "GH_TOKEN"): everything - {"gh_token"},
    }.items():
        found = find(show=show)
        assert (targets(found), found.idle) == (left, []), show


def test_unmask_of_nothing_is_told(find: Find, project: Path):
    put(project, ".env", ".secrets/token")
    found = find(show=("envv", ".env", ".secrets/token"))
    assert found.idle == ["envv", ".secrets/token"]
    assert targets(found) == {".secrets/"}


@pytest.mark.parametrize("glob", ["", "/", "../x", "a//b", "."])
def test_unmask_that_means_nothing_is_refused(find: Find, glob: str):
    with pytest.raises(UsageError, match="must hold names"):
        find(show=(glob,))


def test_configuration_changes_the_list_and_a_workspace_only_adds_to_it(find: Find, project: Path):
    put(project, ".env", "config/prod.json", "a/config/prod.json", "private/x", "deploy.key", "keep.key")
    config = '[mask]\nglobs = ["-.env", "config/prod.json"]\nexcept = ["keep.*"]\n'
    assert targets(find(config=config)) == {"config/prod.json"}
    tightened = '[mask]\nglobs = ["*.key", "private/"]\n'
    assert targets(find(config=config, tightened=tightened)) == {"config/prod.json", "deploy.key", "private/"}


def test_no_mask_still_covers_the_agents_state(find: Find, home: Path):
    for name in (".pi", ".claude", ".config/opencode", ".config/agentbox", ".local/state/agentbox"):
        (home / name).mkdir(parents=True)
    put(home, ".env", ".pi/.env", ".hermes/.env")
    state = {".claude/", ".config/agentbox/", ".config/opencode/", ".hermes/", ".local/state/agentbox/", ".pi/"}
    found = find(home, allow_home=True, off=True)
    assert (targets(found), found.names) == (state, [])
    found = find(home, allow_home=True, show=(".pi",))
    assert (targets(found), found.names, found.idle) == (state | {".env"}, [".env"], [".pi"])


def test_search_changes_nothing(find: Find, project: Path):
    put(project, ".env", ".secrets/x")
    before = {path: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in project.rglob("*")}
    find()
    assert before == {path: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in project.rglob("*")}


def test_one_line_says_what_is_masked_and_the_model_shows_it(call, project: Path):
    put(project, "a/.env", "b/.env", ".env.\x1b]0;x\n", "c/.env", "d/.secrets/x")
    code, out, err = call("compose", "--json", "--unmask", "c/.env", "--unmask", "nothing")
    assert code == 0
    assert err.splitlines() == [
        "agentbox: masked .env.\\x1b]0;x\\n, a/.env, b/.env and 1 more (--unmask GLOB shows them)",
        "agentbox: --unmask nothing: matches nothing that is masked",
    ]
    covers = {item["target"]: item for item in json.loads(out)["services"]["pi"]["volumes"] if item.get("read_only")}
    assert set(covers) == {f"/workspace/{name}" for name in ("a/.env", "b/.env", ".env.\x1b]0;x\n", "d/.secrets")}
    source = Path(covers["/workspace/a/.env"]["source"])
    assert source.is_file()
    assert source.read_bytes() == b""
    assert "masked" not in call("compose", "--no-mask")[2]


def test_refusal_is_one_line_and_a_hint(call, project: Path):
    put(project, os.fsdecode(b".env.\xff"))
    code, out, err = call("compose")
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == "agentbox: /workspace/.env.\\udcff: cannot be masked: its name is not UTF-8"
    assert err.splitlines()[1].startswith("Hint: ")
