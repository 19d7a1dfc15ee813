"""Which Python the native broker gets."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from fake_registry import FakeRegistry

from agentbox.errors import EngineError, InstallError
from agentbox.identity import Identity
from agentbox.native import broker
from agentbox.policy import load


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Nothing on PATH, nothing kept, and agentbox on a Python that reports to be 3.11."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "executable", python(tmp_path / "own", "echo 3 11"))
    return SimpleNamespace(home=tmp_path / "home", own_cache=tmp_path / "cache", uid=os.getuid(), gid=os.getgid())


def python(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("place", ["bin/python3.13", "bin/python3", "home/.pyenv/versions/3.13.1/bin/python3.13"])
def test_a_newer_one_is_taken_wherever_it_is(identity: Any, tmp_path: Path, place: str) -> None:
    newer = python(tmp_path / place, "echo 3 13")
    assert broker.find_python(identity) == (newer, (3, 13))


@pytest.mark.parametrize("script", ["exit 1", "echo 3 10", "echo 3 11", None])
def test_agentbox_s_own_is_taken_where_the_newer_one_cannot_be(
    identity: Any, tmp_path: Path, script: str | None
) -> None:
    if script:
        python(tmp_path / "bin/python3.13", script)
    assert broker.find_python(identity) == (sys.executable, (3, 11))


def test_none_at_all_is_one_line_with_a_hint(identity: Any) -> None:
    Path(sys.executable).unlink()
    with pytest.raises(EngineError, match=r"no Python 3\.11 or newer") as raised:
        broker.find_python(identity)
    assert "python3-venv" in raised.value.hint


def test_a_newer_one_that_comes_later_is_used_at_the_next_start(
    identity: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = []

    def install(base: str, folder: Path, *_: object) -> None:
        installed.append(base)
        python(folder / "bin/python", "")
        (folder / "ready").touch()

    monkeypatch.setattr(broker, "_install", install)
    older = broker.ensure(identity, print)
    assert broker.ensure(identity, print) == older
    asked = tmp_path / "asked"
    broken = python(tmp_path / "bin/python3.12", f"echo >>{asked}; exit 1")
    assert broker.ensure(identity, print) == broker.ensure(identity, print) == older
    assert asked.read_text() == "\n"  # once, as long as nothing has changed
    (tmp_path / "lib/python3.12/venv").mkdir(parents=True)
    assert broker.ensure(identity, print) == older
    assert asked.read_text() == "\n\n"
    Path(broken).unlink()
    newer = python(tmp_path / "bin/python3.13", "echo 3 13")
    assert broker.ensure(identity, print) == broker.ensure(identity, print) != older
    assert installed == [sys.executable, newer]


@pytest.fixture
def pip_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> Identity:
    """Whoever runs the tests, at home in `home`, none of whose settings says to pip where to ask, whom to trust, or to ask again."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "1")
    for name in ("AGENTBOX_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    return Identity(os.getuid(), os.getgid(), "dev", home)


def test_no_network_is_said_as_such(pip_alone: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(InstallError, match="the package index cannot be reached") as raised:
        broker.ensure(pip_alone, print)
    assert "--network none" in raised.value.hint
    assert not list((pip_alone.own_cache / "broker").iterdir())


@pytest.mark.slow  # two environments are made
def test_a_certificate_of_an_intercepting_proxy_is_trusted_as_the_variable_says(
    pip_alone: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    index, policy = FakeRegistry(context), load("pi", pip_alone.config_file)
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}simple")
    try:
        for bundle, cause in (
            (None, "certificate that is not trusted"),
            (tmp_path / "ca.pem", "Could not find a version"),
        ):
            if bundle:
                monkeypatch.setenv("AGENTBOX_CA_BUNDLE", str(bundle))
            with pytest.raises(InstallError, match=cause):
                broker.ensure(pip_alone, print, policy)
    finally:
        index.close()
