"""Worlds for the native tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import vault_world
from native_box import NativeBox, make_box, own_python, works
from vault_world import World, policy


@pytest.fixture(scope="session")
def _usable() -> None:
    reason = vault_world.unusable()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def unloaded(_usable: None) -> Iterator[World]:
    """A policy, but no preload: tests load the object themselves."""
    world = World(policy("/nonexistent/agent"), preload=False)
    yield world
    world.close()


@pytest.fixture(scope="session")
def vaulted(_usable: None) -> Iterator[World]:
    """Every program is a tool of an agent that never runs."""
    world = World(policy("/nonexistent/agent"))
    yield world
    world.close()


@pytest.fixture(params=["bubblewrap", "alone"])
def box(request: pytest.FixtureRequest) -> Iterator[NativeBox]:
    """The native engine in both of its ways. Not in pytest's own folder, which each run of pytest closes to others."""
    folder = Path(tempfile.mkdtemp(prefix="agentbox-box-"))
    box = make_box(folder)
    own_python()
    box.bubblewrap = request.param == "bubblewrap"
    if box.bubblewrap and not works(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]):
        pytest.skip("bubblewrap is not installed, or no user namespace is allowed")
    yield box
    shutil.rmtree(folder, ignore_errors=True)
