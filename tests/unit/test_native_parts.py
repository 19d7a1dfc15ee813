"""What the native engine lays out for an agent, as its file says, is what the images have."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from agentbox import policy
from agentbox.errors import EngineError
from agentbox.harness import Installed
from agentbox.identity import Identity
from agentbox.native import alone, claims, harness, places
from agentbox.resources import tree

AGENTS = policy.agent_names()


def said_by_dockerfiles(agent: str) -> str:
    return "".join((tree("containers") / name / "Dockerfile").read_text() for name in ("base", agent))


@pytest.mark.parametrize("agent", AGENTS)
def test_files_and_links_are_those_of_the_image(agent: str):
    native = policy.load(agent).native
    said = said_by_dockerfiles(agent)
    for name, path in native.library.items():
        assert re.search(rf"^COPY .*\b{path}/? .*{places.LIBRARY}/({name}/)?$", said, re.MULTILINE), name
        assert (tree("containers") / path).exists()
    for name, target in native.etc.items():
        assert f"ln -s {target} /etc/{Path(name).parent}/" in said
    # The other way: nothing that the image has for this agent alone is missing.
    copied = re.findall(rf"^COPY {agent}/\S+/ {places.LIBRARY}/(\S+)/$", said, re.MULTILINE)
    assert set(copied) - {"second"} <= set(native.library)  # what prepares an agent started by another is docker's only
    assert said.count("ln -s /etc/agentbox/") == len(native.etc)


@pytest.mark.parametrize("agent", AGENTS)
def test_the_image_has_the_same_of_a_package(agent: str):
    package = policy.load(agent).package
    extras = f"[{','.join(package.extras)}]" if package.extras else ""
    assert re.search(rf'"{re.escape(package.name + extras)}[@$"]', said_by_dockerfiles(agent))


def test_the_guard_stands_among_an_agents_own_plugins(tmp_path: Path):
    own = tmp_path / "installed/lib/python3.99/site-packages/plugins"
    (own / "memory").mkdir(parents=True)
    installed = Installed(argv=("hermes",), root=tmp_path / "installed", needs=(), env={}, version="1")

    assert harness.plugins(policy.load("hermes"), installed, tmp_path, "/library")

    found = {path.name: str(path.readlink()) for path in (tmp_path / harness.PLUGINS).iterdir()}
    assert found == {"memory": str(own / "memory"), harness.GUARD: "/library/hermes-guard"}
    expected = {"HERMES_BUNDLED_PLUGINS": f"/library/{harness.PLUGINS}"}
    assert harness.variables(policy.load("hermes"), "/library") == expected


def test_an_agent_whose_plugins_are_not_found_does_not_start_unguarded(tmp_path: Path):
    installed = Installed(argv=("hermes",), root=tmp_path, needs=(), env={}, version="1")
    with pytest.raises(EngineError, match="cannot be guarded"):
        harness.plugins(policy.load("hermes"), installed, tmp_path, "/library")


def test_an_agent_without_such_a_folder_gets_none(tmp_path: Path):
    installed = Installed(argv=("pi",), root=tmp_path, needs=(), env={}, version="1")
    assert not harness.plugins(policy.load("pi"), installed, tmp_path, "/library")
    assert harness.variables(policy.load("pi"), "/library") == {}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ([], "pi has no ripgrep and no fd-find here, and may not download it: apt install ripgrep fd-find"),
        (["system/rg"], "pi has no fd-find here, and may not download it: apt install fd-find"),
        (["system/rg", "system/fdfind"], ""),
        (["home/.pi/agent/bin/rg", "home/.pi/agent/bin/fd"], ""),
    ],
)
def test_what_an_agent_would_download_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: list[str], said: str
):
    monkeypatch.setattr(claims, "SEARCH", f"/nonexistent:{tmp_path}/system")
    for name in there:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)
    pi, who = policy.load("pi"), Identity(1000, 1000, "dev", tmp_path / "home")
    assert claims.lacking(pi, who) == said
    assert claims.lacking(pi._replace(network=pi.network._replace(mode="open")), who) == ""
    assert claims.lacking(policy.load("claude"), who) == ""


def test_certificates_that_cannot_be_looked_at_are_passed_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    usual = places.bundle()
    monkeypatch.setenv("SSL_CERT_FILE", "/" + "x" * 300)  # fails as in a closed folder, for root too
    assert places.bundle() == usual


def test_a_terminal_of_another_devpts_has_no_name_here(monkeypatch: pytest.MonkeyPatch):
    def ttyname(fd: int) -> str:
        if fd:
            raise OSError(errno.ENODEV if fd == 1 else errno.ENOTTY, "")
        return "/dev/pts/3"

    monkeypatch.setattr(os, "ttyname", ttyname)
    monkeypatch.setattr(os, "isatty", lambda fd: fd < 2)
    assert alone.terminals() == {"/dev/pts/3"}
