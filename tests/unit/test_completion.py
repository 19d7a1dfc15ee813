"""Completion as shells ask for it: through bash itself, and for zsh and fish by the protocol that their scripts speak."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fast import slow_but

from agentbox import audit, identity, owner

AGENTS = ["claude", "hermes", "opencode", "pi"]


@pytest.fixture
def places(home: Path) -> Path:
    """A project with a folder and a file, a refused host and an allowed one."""
    (home / "project/folder").mkdir()
    (home / "project/file.pem").write_text("")
    records = audit.begin(identity.current(), "pi", "1", "/src")
    lines = [
        {"verdict": "deny", "host": host, "port": 443, "remedy": host} for host in ("crates.io", "evil\x1b[2J.example")
    ]
    (records.egress / "audit.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = home / ".config/agentbox"
    config.mkdir(parents=True)
    (config / "allowed.toml").write_text('[[allow]]\nhost = "docs.example"\n')
    return home


CASES = {
    ("",): ["run", "audit", "completion"],
    ("ru",): ["run"],
    ("run", ""): AGENTS,
    ("run", "op"): ["opencode"],
    ("run", "--net"): ["--network"],
    ("run", "--network", ""): ["allowlist", "none", "open"],
    ("run", "-w", "f"): ["folder"],
    ("run", "--mount", "f"): ["folder"],
    ("run", "--unmask", "f"): ["file.pem", "folder"],
    ("build", "--ca-bundle", "fi"): ["file.pem"],
    ("config", "check", "fi"): ["file.pem"],
    ("build", "--version-of", "pi"): ["pi=", "pi=pinned"],
    ("run", "-e", "HOST_U"): ["HOST_UID"],
    ("audit", "--agent", ""): AGENTS,
    ("audit", "--since", "1"): ["10m", "1d", "1h"],
    ("audit", "--fo"): ["--follow"],
    ("config", "pi", "--or"): ["--origin"],
    ("allow", ""): ["crates.io"],
    ("allow", "--remove", "d"): ["docs.example"],
    ("completion", ""): ["bash", "fish", "zsh"],
}


def of_bash(words: tuple[str, ...], folder: Path) -> list[str]:
    """What bash offers after the words, the last of which is unfinished."""
    agentbox = folder / "agentbox"
    agentbox.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m agentbox "$@"\n')
    agentbox.chmod(0o755)
    script = """
    source <(agentbox completion bash)
    complete -p agentbox >/dev/null || exit 3
    COMP_WORDS=(agentbox "$@"); COMP_CWORD=$#
    compopt() { case $* in *dirnames*) kind=-d;; *default*) kind=-f;; esac; }
    _agentbox_completion agentbox "${COMP_WORDS[COMP_CWORD]}"
    [ -z "$kind" ] || COMPREPLY=($(compgen $kind -- "${COMP_WORDS[COMP_CWORD]}"))
    printf '%s\\n' "${COMPREPLY[@]}"
    """
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words], capture_output=True, text=True, env=env, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(filter(None, done.stdout.splitlines()))


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("words", slow_but(list(CASES)[::4], CASES), ids=" ".join)
def test_bash_offers(places, tmp_path, words):
    found, expected = of_bash(words, tmp_path), CASES[words]
    if words == ("",):
        assert set(expected) <= set(found)
    elif words[-1].startswith("--"):
        assert found == expected
    else:
        assert found == sorted(expected)


@pytest.fixture
def protocol(call: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The answer that a shell's script gets. It names the unfinished word by its number, fish's by the word itself."""

    def answer(shell: str, words: tuple[str, ...]) -> str:
        before = shlex.join(["agentbox", *words[:-1]])
        line, unfinished = f"{before} {words[-1]}", words[-1]
        if shell != "fish":
            line, unfinished = f"{before} {shlex.quote(words[-1])}", str(len(words))
        for name, value in {
            "_AGENTBOX_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": unfinished,
        }.items():
            monkeypatch.setenv(name, value)
        code, out, err = call()
        assert (code, err) == (0, "")
        return out

    return answer


@pytest.mark.parametrize("words", CASES, ids=" ".join)
def test_zsh_offers(places, protocol, words):
    """Triples of lines: kind, word, help."""
    lines = protocol("zsh", words).splitlines()
    kinds, found = lines[0::3], lines[1::3]
    if kinds and kinds[0] in ("dir", "file"):
        assert kinds == ["dir" if words[1] in ("-w", "--mount") else "file"]
    else:
        assert set(CASES[words]) <= set(found)
        assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("words", CASES, ids=" ".join)
def test_fish_offers(places, protocol, words):
    """Lines of `kind,word TAB help`."""
    found = [line.partition("\t")[0].partition(",") for line in protocol("fish", words).splitlines()]
    if found and found[0][0] in ("dir", "file"):
        assert [kind for kind, _, _ in found] == ["dir" if words[1] in ("-w", "--mount") else "file"]
    else:
        assert set(CASES[words]) <= {word for _, _, word in found}


def test_containers_are_offered_where_an_engine_answers(places, protocol, engine):
    item = {"Names": ["/agentbox-pi-1"], "Id": "1", "State": "running", "Labels": {"io.agentbox.agent": "pi"}}
    engine.answers["GET /containers/json"] = (200, [item])
    for command in ("logs", "stop"):
        assert {"pi", "agentbox-pi-1"} <= set(protocol("zsh", (command, "")).splitlines())


def test_native_sessions_are_offered_without_an_engine_too(places, protocol, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    folder = owner.run_root(identity.current()) / "aa11"
    folder.mkdir(parents=True)
    (folder / "owner").write_text(owner.current())
    known = {"name": "agentbox-pi-aa11", "agent": "pi", "workspace": "/w", "binds": [], "pid": 1, "started": 1}
    (folder / "session.json").write_text(json.dumps(known))
    for command in ("logs", "stop"):
        assert {"pi", "agentbox-pi-aa11"} <= set(protocol("zsh", (command, "")).splitlines())


def test_a_broken_configuration_completes_quietly(places, protocol):
    (places / ".config/agentbox/allowed.toml").write_text("broken [")
    assert "docs" not in protocol("zsh", ("allow", "--remove", "d"))
