"""`run --login`: a browser on the host brings a provider's answer to the agent, which listens on its container's loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from boxes import Box, finished
from browser import CODE, got

from agentbox import policy

# Loaded into pi's own process, in the place of its login: what pi would listen on.
LISTENER = """
const http = require("node:http");
const answer = (request, response) => { response.end(`pi got ${request.url}`); };
for (const port of [53692, 1455]) http.createServer(answer).listen(port, "127.0.0.1");
require("node:fs").writeFileSync("/workspace/listens", "");
setInterval(() => {}, 1000);
"""
# Where the pinned versions say which ports they listen on.
SOURCES = {
    "pi": ("/usr/local/lib/node_modules/@earendil-works/pi-coding-agent/dist/bundle", {53692, 1455, 1456}),
    "opencode": ("/usr/local/lib/node_modules/opencode-ai/bin/opencode.exe", {1455, 19876}),
    "hermes": ("/opt/hermes/lib/python3.13/site-packages/hermes_cli/auth.py", {43827}),
}


@contextmanager
def listening(box: Box, *options: str) -> Iterator[str]:
    """pi's container, with a listener in pi's process; its id."""
    (box.workspace / "listen.cjs").write_text(LISTENER)
    command = [
        sys.executable,
        "-m",
        "agentbox",
        "run",
        "pi",
        *options,
        "-e",
        "NODE_OPTIONS=--require=/workspace/listen.cjs",
    ]
    running = subprocess.Popen(
        [*command, "--", "--mode", "rpc"], env=box.environment(), cwd=box.workspace,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 90
        while not (box.workspace / "listens").exists() and time.monotonic() < end:
            time.sleep(0.2)
        labels = [f"--filter=label=io.agentbox.{name}" for name in ("agent=pi", f"workspace={box.workspace}")]
        yield finished(["docker", "ps", "--quiet", *labels]).stdout.strip()
    finally:
        running.terminate()
        running.wait(30)


@pytest.mark.parametrize("mode", ["allowlist", "open"])
def test_answer_reaches_the_agent(box: Box, mode: str) -> None:
    with listening(box, "--login", "--network", mode):
        for port in (53692, 1455):
            assert got(port) == f"pi got {CODE}"
        published = finished(["docker", "ps", "--filter=publish=53692", "--format={{.Ports}}"]).stdout
        assert published.count("127.0.0.1:") == published.count("->") > 0, published


def test_without_login_no_port_is_published(box: Box) -> None:
    """The control: the same listener is there, and the host reaches nothing."""
    with listening(box) as container:
        inside = [
            "docker",
            "exec",
            container,
            "curl",
            "-s",
            "--retry",
            "9",
            "--retry-connrefused",
            "--noproxy",
            "*",
            f"http://127.0.0.1:53692{CODE}",
        ]
        assert finished(inside).stdout == f"pi got {CODE}"
        assert got(53692) == ""


def test_nobody_else_on_the_broker_networks_reaches_the_agent_by_it(box: Box, images: Callable[[str], str]) -> None:
    """A container beside the broker, where the published port ends; the control is the host's own request."""
    with listening(box, "--login"):
        (broker,) = finished(["docker", "ps", "--quiet", "--filter=publish=53692"]).stdout.split()
        networks = json.loads(finished(["docker", "inspect", broker]).stdout)[0]["NetworkSettings"]["Networks"]
        (outer,) = (name for name in networks if name.endswith("outer"))
        run = ["docker", "run", "--rm", f"--network={outer}", "--entrypoint=curl", images("base")]
        done = finished([*run, "-sS", "--max-time", "5", f"http://{networks[outer]['IPAddress']}:53692{CODE}"])
        assert done.stdout == "" and done.returncode, done
        assert got(53692) == f"pi got {CODE}"


def test_port_that_is_taken_is_said_so(box: Box) -> None:
    with socket.create_server(("127.0.0.1", 53692)):
        done = box.agentbox("run", "pi", "--login", "--", "--version")
    assert done.returncode == 125
    assert "53692" in done.stderr


@pytest.mark.parametrize("agent", SOURCES)
def test_ports_are_those_of_the_pinned_version(agent: str, images: Callable[[str], str]) -> None:
    place, ports = SOURCES[agent]
    assert {port.container for port in policy.load(agent).ports if port.for_login} == ports
    search = ["docker", "run", "--rm", "--entrypoint=grep", images(agent), "-raohE"]
    found = finished([*search, r"(=|:|listen\()(53692|1455|1456|19876|43827)\b", place]).stdout
    assert {int(line.rpartition("=")[2].rpartition(":")[2].rpartition("(")[2]) for line in found.split()} >= ports
