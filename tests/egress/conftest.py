"""The broker's tests run in a network of their own, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import net
import pytest
from fast import one_at_a_time
from interpreter import PLACE, find
from world import Broker, World


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.slow)  # they install mitmproxy at the first run


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Network, providers, certificates, secrets."""
    if why := net.unusable():
        pytest.skip(why)
    with one_at_a_time(PLACE):
        interpreter = find()
    if not interpreter:
        pytest.skip(
            "mitmproxy needs Python 3.12 or newer (AGENTBOX_EGRESS_PYTHON), or an engine to take it from the image"
        )
    return World(Path(tmp_path_factory.mktemp("egress")), interpreter)


@pytest.fixture
def inside(world: World) -> Iterator[None]:
    """The test runs in the network."""
    world.application.seen.clear()
    world.metadata.seen.clear()
    with world.network.inside():
        yield


@pytest.fixture(scope="module")
def shared(world: World) -> Iterator[Broker]:
    """A broker with the usual rules, for tests that do not change them."""
    with world.broker() as broker:
        yield broker


@pytest.fixture(scope="module")
def unguarded(world: World) -> Iterator[Broker]:
    """The control: a broker that lets everything through that is public."""
    with world.broker(world.rules(mode="open", inject=[])) as broker:
        yield broker
