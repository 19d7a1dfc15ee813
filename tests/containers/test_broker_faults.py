"""What happens to an agent and its tools when the broker dies, once or for good, and with many streams at once."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from boxes import AGENTS, Box, finished
from fake_model import Shell
from provider import LOGINS, Login, own_address, provider, seed, turn

LISTED, UNLISTED, LATER = "listed.example", "unlisted.example", "later.example"
STREAMS = 200
# One Login an agent.
FIRST = list({login.agent: login for login in reversed(LOGINS)}.values())


class Handler(BaseHTTPRequestHandler):
    """/stream sends an event every 0.1 s until the client is gone, /once three in three seconds; all else is REACHED."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path not in ("/stream", "/once"):
            self.send_header("content-length", "8")
            self.end_headers()
            self.wfile.write(b"REACHED\n")
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for _ in range(3 if self.path == "/once" else 3000):
                self.wfile.write(b"9\r\ndata: x\n\n\r\n")
                time.sleep(1 if self.path == "/once" else 0.1)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        return


class Server(ThreadingHTTPServer):
    request_queue_size = 2 * STREAMS


@contextmanager
def listening(box: Box) -> Iterator[int]:
    """A web server of the host's that LISTED and LATER lead to; its port."""
    server = Server(("0.0.0.0", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    port = server.server_address[1]
    addresses = "".join(f'"{host}" = "{own_address()}"\n' for host in (LISTED, UNLISTED, LATER))
    box.put(
        ".config/agentbox/config.toml", f'[network]\nprivate = ["{LISTED}:{port}"]\n[network.addresses]\n{addresses}'
    )
    yield port
    server.shutdown()
    server.server_close()


def brokers(box: Box) -> list[str]:
    """The ids of the box's brokers that run."""
    labels = [f"--filter=label=io.agentbox.workspace={box.workspace}", "--filter=label=io.agentbox.broker"]
    return finished(["docker", "ps", "--quiet", *labels]).stdout.split()


def crash(broker: str) -> None:
    """The broker's own process, below the container's init, dies of SIGKILL."""
    listed = finished(["docker", "top", broker, "-eo", "pid,args"]).stdout.splitlines()[1:]
    (pid,) = (int(line.split()[0]) for line in listed if line.split()[1].endswith("/python"))
    os.kill(pid, signal.SIGKILL)


def remove(broker: str) -> None:
    """The broker ends for good: who kills a container is taken to mean it."""
    finished(["docker", "kill", broker])


def when(box: Box, name: str, do: Callable[[str], None]) -> threading.Thread:
    """Do that to the broker as soon as the file is there; then make NAME.done."""

    def wait() -> None:
        while not (box.workspace / name).exists():
            time.sleep(0.1)
        (broker,) = brokers(box)
        do(broker)
        (box.workspace / f"{name}.done").touch()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


CURL = "curl -sS --max-time 20"
CRASH = f"""
{CURL} -N http://LISTED:PORT/stream >stream 2>error & until [ -s stream ]; do sleep 0.1; done
touch allow; until [ -e allow.done ]; do sleep 0.1; done
touch now; wait $!; echo stream=$?
until [ -e now.done ]; do sleep 0.1; done
for host in LISTED UNLISTED; do {CURL} --noproxy '*' --resolve $host:PORT:HOST http://$host:PORT/ && echo direct; done
until {CURL} -o up http://LISTED:PORT/ 2>/dev/null; do sleep 0.2; done
{CURL} http://LISTED:PORT/; {CURL} http://UNLISTED:PORT/; {CURL} http://LATER:PORT/
"""


def test_broker_that_crashes_ends_its_streams_and_comes_back_with_its_rules(box: Box, gateway: str) -> None:
    """Meanwhile nothing gets out; what was allowed while it ran still is."""
    with listening(box) as port:
        stands_for = {"UNLISTED": UNLISTED, "LISTED": LISTED, "LATER": LATER, "PORT": str(port), "HOST": own_address()}
        script = re.sub("|".join(stands_for), lambda match: stands_for[match[0]], CRASH)
        allow = when(box, "allow", lambda _: box.agentbox("allow", f"{LATER}:{port}", "--private"))
        thread = when(box, "now", crash)
        done = box.shell("pi", script)
        allow.join(1)
        thread.join(1)
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first.startswith("stream=") and first not in ("stream=0", "stream=28"), done.stdout + done.stderr
    assert "direct" not in rest
    assert rest[0] == "REACHED" and rest[-1] == "REACHED"
    assert f"agentbox: {UNLISTED} is not on the allow-list (rule: default)" in rest


@pytest.mark.parametrize("login", FIRST, ids=lambda login: login.agent)
def test_broker_that_is_gone_ends_the_agent_with_one_line(
    login: Login, box: Box, gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a turn. Claude Code alone would try for minutes."""
    agent = AGENTS[login.agent]
    monkeypatch.setenv(login.variable, login.key)
    script = [
        Shell(
            "touch now; until [ -e now.done ]; do sleep 0.1; done; curl -sS --max-time 5 --noproxy '*' https://example.com; sleep 60"
        )
    ]
    with provider(box, gateway, script, tmp_path) as model:
        seed(login, box)
        thread = when(box, "now", remove)
        done = box.run(agent.name, *turn(login, agent), options=agent.options)
        thread.join(1)
    assert done.returncode == 125, done.stdout + done.stderr
    assert "agentbox: broker: is gone (Exited (137)" in done.stderr
    assert "Hint: start it again" in done.stderr
    assert model.results == []


@pytest.mark.parametrize("login", FIRST, ids=lambda login: login.agent)
def test_agent_survives_a_broker_that_crashes_in_the_middle_of_a_turn(
    login: Login, box: Box, gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the above: it is the loss for good that ends an agent."""
    agent = AGENTS[login.agent]
    monkeypatch.setenv(login.variable, login.key)
    with provider(box, gateway, [Shell("touch now; until [ -e now.done ]; do sleep 0.1; done")], tmp_path):
        seed(login, box)
        thread = when(box, "now", crash)
        done = box.run(agent.name, *turn(login, agent), options=agent.options)
        thread.join(1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DONE" in done.stdout


MANY = """
import asyncio
async def one(n):
    reader, writer = await asyncio.open_connection("egress", 8080)
    writer.write(b"GET http://LISTED:PORT/once HTTP/1.1\\r\\nHost: LISTED:PORT\\r\\nConnection: close\\r\\n\\r\\n")
    return (await reader.read(-1)).count(b"data: x")
async def main():
    found = await asyncio.gather(*(one(n) for n in range(STREAMS)))
    print(found.count(3))
asyncio.run(main())
"""


def test_two_hundred_streams_at_once_from_one_container(box: Box, gateway: str) -> None:
    with listening(box) as port:
        program = MANY.replace("LISTED", LISTED).replace("PORT", str(port)).replace("STREAMS", str(STREAMS))
        (box.workspace / "many.py").write_text(program)
        done = box.shell("pi", "python3 many.py")
    assert done.stdout == f"{STREAMS}\n", done.stderr
