"""Hermes' dashboard, on request: for this machine's browser, and for nobody else on the network."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from boxes import Box, finished

URL = "http://127.0.0.1:9119/"


@pytest.fixture
def container(box: Box) -> Iterator[str]:
    """The id of a container that serves the dashboard."""
    command = [sys.executable, "-m", "agentbox", "run", "hermes", "--dashboard"]
    running = subprocess.Popen(command, env=box.environment(), cwd=box.workspace, stdin=subprocess.DEVNULL)
    try:
        assert answers_within(60)
        yield finished(["docker", "ps", "--quiet", "--filter=publish=9119"]).stdout.strip()
    finally:
        running.terminate()
        running.wait(30)


def answers_within(seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urlopen(URL, timeout=5) as answer:
                return "<html" in answer.read().decode()
        except (URLError, OSError):
            time.sleep(0.5)
    return False


def test_the_dashboard_is_for_this_machine_alone(container: str, images: Callable[[str], str]) -> None:
    settings = json.loads(finished(["docker", "inspect", container]).stdout)[0]["NetworkSettings"]
    address = next(network["IPAddress"] for network in settings["Networks"].values())
    assert {port["HostIp"] for ports in settings["Ports"].values() for port in ports or ()} == {"127.0.0.1"}

    other = ["docker", "run", "--rm", "--entrypoint=curl", images("base"), "--silent", "--max-time", "5"]

    assert finished([*other, f"http://{address}:9119/"]).stdout == ""


STEAL = """
token=$(curl -s http://127.0.0.1:9119/ | grep -oE 'SESSION_TOKEN[^"]*"[^"]+"' | head -n 1 | sed 's/.*"\\(.*\\)"/\\1/')
curl -s -X POST -H "X-Hermes-Session-Token: $token" -H "Authorization: Bearer $token" \\
    -H 'content-type: application/json' -d '{"key":"OPENROUTER_API_KEY"}' http://127.0.0.1:9119/api/env/reveal
"""


@pytest.mark.xfail(reason="the dashboard reveals keys to whoever reaches its port, and its own container's tools do")
def test_a_tool_cannot_have_the_dashboard_reveal_a_key(box: Box, request: pytest.FixtureRequest) -> None:
    box.put(".hermes/.env", "OPENROUTER_API_KEY=sk-or-v1-of-the-dashboard-test\n")
    request.getfixturevalue("container")
    agents = ["docker", "ps", "--quiet", "--filter=label=io.agentbox.agent=hermes", f"--filter=volume={box.workspace}"]
    container = finished(agents).stdout.strip()
    assert container
    assert "sk-or-v1-of-the-dashboard-test" not in finished(["docker", "exec", container, "sh", "-c", STEAL]).stdout
