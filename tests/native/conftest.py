"""Worlds for the native tests."""

from collections.abc import Iterator

import pytest
import vault_world
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
