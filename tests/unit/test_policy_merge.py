"""Loading, merging and rendering the policy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agentbox import policy, vault
from agentbox.errors import PolicyError

AGENTS = policy.agent_names()


@pytest.mark.parametrize("agent", AGENTS)
def test_every_shipped_agent_loads(agent: str):
    found = policy.load(agent)
    assert found.command.argv
    assert found.state
    assert "auth.json" in found.vault.deny


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.skipif(not vault.available(), reason="the compiled core is not built")
def test_the_core_accepts_every_rendered_policy(agent: str):
    found = policy.load(agent)
    core = vault.Policy(policy.render_vault(found).encode())
    assert core.exe == found.command.exe
    assert core.judge("/anywhere/auth.json").right == vault.Right.DENY
    assert core.hides("ANTHROPIC_API_KEY")


def test_links_are_below_home_with_a_tab():
    assert policy.render_links(policy.load("pi")) == ".pi\t/agent/pi\n"


def test_firewall_separates_names_and_paths():
    found = json.loads(policy.render_firewall(policy.load("pi")))
    assert found["version"] == 2
    assert (found["agent"], found["tree"], found["frames"]) == ("pi", "/agent", ["/dist/core/tools"])
    assert {"auth.json", "gh_*"} <= set(found["deny"])
    assert "/agent/pi/agent/settings.json" in found["read"]
    assert "/agent/pi/agent/auth.json" in found["paths"]
    assert not any(item.startswith("/") for item in found["deny"])


@pytest.fixture
def user(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return path

    return write


def test_user_may_change_anything_and_take_back(user):
    path = user('[limits]\npids = 999\n[guard]\ndeny = ["-.env", "mine"]\n[agents.pi.limits]\nmemory = "1g"\n')
    found = policy.load("pi", path)
    assert (found.limits.pids, found.limits.memory) == (999, 1 << 30)
    assert "mine" in found.guard
    assert ".env" not in found.guard
    assert found.origin["limits.pids"] == ("defaults.toml", str(path))
    assert policy.load("claude", path).limits.memory == 8 << 30


def test_tables_merge_by_their_name(user):
    found = policy.load(
        "pi", user('[[tmpfs]]\npath = "/tmp"\nsize = "1m"\nmode = "1777"\nexec = true\nwhy = "tests"\n')
    )
    tmp = [place for place in found.tmpfs if place.path == "/tmp"]
    assert len(tmp) == 1
    assert tmp[0].executable
    assert tmp[0].size == 1 << 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[limits]\npids = 1\n", "limits.pids must be a whole number"),
        ('[limits]\nmemory = "lots"\n', "limits.memory must be a size"),
        ('[vault]\ndeny = ["../x"]\n', "vault.deny must hold names"),
        ('[vault]\ndeny = ["a\\nwrite /agent"]\n', "without control characters"),
        (
            '[[state]]\nhost = "../etc"\npath = "/agent/x"\nlink = "x"\n',
            "state.host must be a path relative to the home",
        ),
        ('[[state]]\nhost = "x"\npath = "/elsewhere"\nlink = "x"\n', "must be below /agent"),
        ('[[tmpfs]]\npath = "/x"\n', "tmpfs /x lacks size"),
        ('[[tmpfs]]\npath = "/agent"\nsize = "1m"\nmode = "0700"\n', "would hide /agent"),
        ('[[tmpfs]]\npath = "/tmp"\nexec = true\n', "say why"),
        ("limits = 3\n", "limits must be a table"),
        ("[agents.pie.limits]\npids = 99\n", "agents.pie is not a known key"),
        ('[agents.claude.limits]\npids = "x"\n', "agents.claude.limits.pids must be"),
        ("tmpfs = 3\n", "must be written as [[tmpfs]]"),
    ],
)
def test_wrong_values_are_named(user, text: str, message: str):
    with pytest.raises(PolicyError) as caught:
        policy.load("pi", user(text))
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_workspace_may_tighten(tmp_path: Path):
    (tmp_path / ".agentbox.toml").write_text(
        '[limits]\npids = 50\nmemory = "1g"\n[vault]\ndeny = ["/agent/pi/more"]\n[guard]\ndeny = ["secret.txt"]\n'
    )
    found = policy.load("pi", None, tmp_path)
    assert found.limits.pids == 50
    assert "/agent/pi/more" in found.vault.deny
    assert "secret.txt" in found.guard
    assert "auth.json" in found.vault.deny


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[limits]\npids = 5000\n", "limits.pids"),
        ('[limits]\nmemory = "9g"\n', "limits.memory"),
        ('[vault]\ndeny = ["-auth.json"]\n', "vault.deny"),
        ('[vault]\nwrite = ["/agent"]\n', "vault.write"),
        ('[vault]\nread = ["/agent/pi/agent/auth.json"]\n', "vault.read"),
        ('[image]\nbase = "evil"\n', "image.base"),
        ('[command]\nargv = ["sh"]\n', "command.argv"),
        ('[env]\npass = ["AWS_SECRET_ACCESS_KEY"]\n', "env.pass"),
        ('[env.set]\nLD_PRELOAD = "/workspace/x.so"\n', "env.set"),
        ('[network]\nhosts = ["evil.example"]\n', "network.hosts"),
        ('[[state]]\nhost = ".ssh"\npath = "/agent/ssh"\nlink = ".ssh"\n', "state"),
        ("[agents.pi.limits]\npids = 5000\n", "agents.pi.limits.pids"),
        ('title = "x"\n', "title"),
    ],
)
def test_workspace_may_not_loosen(tmp_path: Path, text: str, key: str):
    (tmp_path / ".agentbox.toml").write_text(text)
    with pytest.raises(PolicyError) as caught:
        policy.load("pi", None, tmp_path)
    assert caught.value.cause.startswith(key + " may ")


def test_workspace_file_that_is_no_file(tmp_path: Path):
    os.mkfifo(tmp_path / ".agentbox.toml")
    with pytest.raises(PolicyError, match="not a regular file"):
        policy.load("pi", None, tmp_path)


def test_workspace_file_that_is_huge(tmp_path: Path):
    (tmp_path / ".agentbox.toml").write_text("#" * 70000)
    with pytest.raises(PolicyError, match="larger than 64 KiB"):
        policy.load("pi", None, tmp_path)
