"""A real engine, the images of all four agents (built once, through agentbox), and boxes to run them in."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Generator
from ipaddress import ip_network
from pathlib import Path

import pytest
from boxes import AGENTS, REAL_USER, Agent, Box, make_box
from fast import in_use, one_at_a_time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and "engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.engine)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """While a test runs containers, no other worker's changes their images."""
    if "engine" not in getattr(item, "fixturenames", ()):
        return (yield)
    alone = item.get_closest_marker("alone") is not None
    with in_use(Path(tempfile.gettempdir(), f"agentbox-boxes-of-{REAL_USER}"), alone=alone):
        return (yield)


@pytest.fixture(scope="session")
def engine() -> None:
    """Skips where no engine answers."""
    try:
        subprocess.run(["docker", "version"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"no container engine: {error}")


@pytest.fixture(scope="session")
def gateway(engine: None) -> str:
    """The host's address on the containers' network: where they find the model server."""
    network = subprocess.run(["docker", "network", "inspect", "bridge"], check=True, capture_output=True, text=True)
    config = json.loads(network.stdout)[0]["IPAM"]["Config"][0]
    # Older engines do not name the gateway that they chose: it is the first address.
    return str(config.get("Gateway") or next(ip_network(config["Subnet"]).hosts()))


@pytest.fixture(scope="session")
def images(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Agent to image, after `agentbox build` of all four."""
    with one_at_a_time(Path(tempfile.gettempdir(), f"agentbox-images-of-{REAL_USER}")):
        build = make_box(tmp_path_factory.mktemp("build")).agentbox("build", timeout=900)
    assert build.returncode == 0, build.stderr
    return lambda agent: f"local/{REAL_USER}-{agent}"


@pytest.fixture
def box(images: Callable[[str], str], tmp_path: Path, gateway: str) -> Box:
    """A box whose agents reach the host, where the model server is."""
    box = make_box(tmp_path)
    box.allow(gateway)
    return box


@pytest.fixture(params=list(AGENTS))
def agent(request: pytest.FixtureRequest) -> Agent:
    return AGENTS[request.param]
