"""The compose model: hardened, exact about names, and without a secret in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from agentbox import compose, credentials, egress, hostenv, identity, policy, workspace
from agentbox.binds import Options
from agentbox.composefile import render
from agentbox.mask import Mask

SECRET = "sk-very-secret"


@pytest.fixture
def service(home: Path):
    def make(agent: str = "pi", **options: object) -> dict[str, object]:
        who = identity.current()
        mounts = workspace.resolve([(".", False)], who, allow_home=False)
        given = {"identity": who, "mounts": mounts, "environment": {}, "command": ["x"]} | options
        return compose.service(policy.load(agent), Options(**given))

    return make


@pytest.mark.parametrize("agent", policy.agent_names())
def test_every_agent_is_hardened(service, agent: str):
    found = service(agent)
    assert found["read_only"] is True
    assert found["init"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"][0] == "no-new-privileges:true"
    profile = found["security_opt"][1].removeprefix("seccomp=")
    assert json.loads(Path(profile).read_text())["defaultAction"]
    assert found["pids_limit"] == 150
    assert found["mem_limit"] == found["memswap_limit"] == "8g"
    assert found["user"] == "1000:1000"
    assert found["network_mode"] == "bridge"
    assert found["pull_policy"] == "never"
    assert found["ulimits"]["core"] == 0
    assert "privileged" not in found
    assert "cap_add" not in found
    for line in found["tmpfs"]:
        assert ",nosuid,nodev,size=" in line
        assert ",uid=1000,gid=1000" in line
    assert all(volume["bind"] == {"create_host_path": False} for volume in found["volumes"])


def test_cpus_are_lowered_to_what_the_engine_has(service):
    assert service(cpus=2)["cpus"] == 2.0
    assert service(cpus=64)["cpus"] == 4.0


def test_only_a_tmpfs_that_says_why_is_executable(service):
    for agent in policy.agent_names():
        whys = {place.path: place.why for place in policy.load(agent).tmpfs}
        for line in service(agent)["tmpfs"]:
            path, _, options = line.partition(":")
            assert options.startswith("noexec,") or whys[path]


def test_dollars_are_literal(service, home: Path, monkeypatch: pytest.MonkeyPatch):
    folder = home / "a${HOME}b"
    folder.mkdir()
    monkeypatch.chdir(folder)
    found = service(command=["echo", "$HOME"])
    assert found["command"] == ["echo", "$$HOME"]
    assert found["volumes"][0]["source"].endswith("a$${HOME}b")


@pytest.mark.parametrize("name", ["a:b", "a,b", "a b", "a\nb", "ä", "-w", "x:ro"])
def test_any_folder_name_is_taken_as_it_is(service, home: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    folder = home / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert service()["volumes"][0]["source"] == str(folder)
    assert json.loads(json.dumps(service()))["labels"]["io.agentbox.workspace"] == str(folder)


def test_mount_option_is_split_only_where_no_folder_is_called_so(home: Path):
    (home / "project" / "x:ro").mkdir()
    assert workspace.split_option("x:ro") == ("x:ro", False)
    assert workspace.split_option("y:ro") == ("y", True)
    assert workspace.split_option("y:rw") == ("y", False)
    assert workspace.split_option("y") == ("y", False)


def test_mounts_are_numbered(home: Path):
    for name in "abc":
        (home / name).mkdir()
    found = workspace.resolve([(str(home / name), name == "c") for name in "abc"], identity.current(), allow_home=False)
    assert [mount.target for mount in found] == ["/workspace", "/workspace-2", "/workspace-3"]
    assert [mount.read_only for mount in found] == [False, False, True]


def test_masks_lie_over_any_place(service):
    masks = [Mask(f"/workspace/$a:b/{name}", name == ".secrets", name, (1, 2)) for name in (".env", ".secrets")]
    file, folder = service(masks=masks, empty=Path("/run/$empty"))["volumes"][-2:]
    assert file == {
        "type": "bind", "source": "/run/$$empty", "target": "/workspace/$$a:b/.env", "read_only": True,
        "bind": {"create_host_path": False},
    }  # fmt: skip
    assert (folder["type"], folder["target"], folder["read_only"]) == ("tmpfs", "/workspace/$$a:b/.secrets", True)


def test_without_a_broker_secrets_travel_by_name(home: Path):
    host = {"ANTHROPIC_API_KEY": SECRET, "TERM": "xterm", "UNRELATED": "x"}
    pi = policy.load("pi")
    pi = pi._replace(network=pi.network._replace(mode="open"))
    keys = credentials.find(pi, identity.current(), host, [])
    model, private = hostenv.environment(pi, host, {}, [f"TOKEN={SECRET}"], keys)
    assert SECRET not in json.dumps(model)
    assert model["ANTHROPIC_API_KEY"] is None
    assert private["ANTHROPIC_API_KEY"] == SECRET
    assert model["TERM"] is None
    assert "UNRELATED" not in model
    assert private[model["TOKEN"].strip("${}")] == SECRET
    assert model["PARANOID_MODE"] == "true"


@pytest.mark.parametrize(
    ("url", "config", "said"),
    [
        ("https://ai.example/v1", "", "ai.example is not on the allow-list; to allow it: agentbox allow ai.example"),
        ("http://ai.example:4000", "", "agentbox allow ai.example:4000"),
        ("https://ai.example:4000", '[network]\nhosts = ["ai.example"]\n', "agentbox allow ai.example:4000"),
        ("https://ai.example/", '[network]\nhosts = ["*.example"]\n', "no key is for ai.example"),
        ("https://api.anthropic.com", "", ""),
        ("http://127.0.0.1:4000", "", ""),
        ("https://[::", "", ""),
        ("", "", ""),
    ],
)
def test_server_of_ones_own_that_the_broker_does_not_serve_is_named(home: Path, url: str, config: str, said: str):
    (home / ".config/agentbox").mkdir(parents=True)
    (home / ".config/agentbox/config.toml").write_text(config)
    claude = policy.load("claude", home / ".config/agentbox/config.toml")
    keys = credentials.find(claude, identity.current(), {"ANTHROPIC_API_KEY": SECRET}, [])
    told = list(egress.unserved(claude, keys, {"ANTHROPIC_BASE_URL": url, "HOMEPAGE": "https://other.example"}))
    assert len(told) == bool(said)
    assert said in "".join(told)
    assert all(line.startswith("ANTHROPIC_BASE_URL: ") for line in told)


@pytest.mark.parametrize(
    ("host", "editor"),
    [({}, "nano"), ({"EDITOR": "/usr/bin/vim -u x"}, "vi"), ({"EDITOR": "emacs"}, "nano"), ({"VISUAL": "vi"}, "vi")],
)
def test_editor_is_one_that_the_image_has(host: dict[str, str], editor: str):
    assert hostenv.editor(host) == editor


@pytest.mark.parametrize(("value", "meaning"), [("", "true"), ("1", "true"), ("FALSE", "false"), ("off", "false")])
def test_paranoid_mode(value: str, meaning: str):
    assert hostenv.paranoid({"PARANOID_MODE": value}) == meaning


def test_git_identity_is_the_users_not_the_workspaces(home: Path):
    (home / ".gitconfig").write_text("[user]\n\tname = Ann $X\n\temail = a@b.c\n")
    found = hostenv.git_identity(hostenv.start_git(home))
    assert found["GIT_AUTHOR_NAME"] == found["GIT_COMMITTER_NAME"] == "Ann $X"
    model, _ = hostenv.environment(policy.load("pi"), {}, found, [], credentials.Keys())
    assert model["GIT_AUTHOR_NAME"] == "Ann $$X"
    assert model["GIT_AUTHOR_EMAIL"] == "a@b.c"


def test_compose_prints_yaml_and_json(call, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    code, text, _ = call("compose", "claude")
    assert code == 0
    code, as_json, _ = call("compose", "claude", "--json")
    assert yaml.safe_load(text) == json.loads(as_json)
    assert json.loads(as_json)["services"]["claude"]["command"] == ["claude"]
    assert SECRET not in text


def test_compose_file_has_the_models_hardening(service):
    file = yaml.safe_load(render())
    for agent in policy.agent_names():
        theirs, ours = file["services"][agent], service(agent)
        for key in (
            "init",
            "read_only",
            "cap_drop",
            "pids_limit",
            "mem_limit",
            "memswap_limit",
            "network_mode",
            "ulimits",
        ):
            assert theirs[key] == ours[key], key
        assert theirs["profiles"] == [agent]
        targets = [volume["target"] for volume in theirs["volumes"]]
        assert targets == [volume["target"] for volume in ours["volumes"]]
