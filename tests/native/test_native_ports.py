"""`run --login` and `--dashboard` with the native engine: a browser of this machine reaches the agent, and nobody more."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from boxes import AGENTS
from browser import CODE, browser, got
from fake_model import FakeModel, Shell
from native_box import OWN_HOST, UID, NativeBox, as_user, own, own_python

pytestmark = [pytest.mark.npm, pytest.mark.slow]

# Loaded into pi's own process, in the place of its login: what an agent would listen on, at one address and at any.
LISTENER = """
const http = require("node:http");
const { writeFileSync } = require("node:fs");
const answer = (request, response) => { response.end(`pi got ${request.url}`); };
let left = 3;
const done = (error) => {
  if (error) writeFileSync("refused", String(error.code));
  if (--left === 0) writeFileSync("listens", "");
};
for (const [port, host] of [[53692, "127.0.0.1"], [1455, undefined], [1456, "0.0.0.0"]]) {
  const server = http.createServer(answer);
  server.on("error", done);
  server.listen(port, host, () => done());
}
setInterval(() => {}, 1000);
"""
PORTS = (53692, 1455, 1456)


@contextmanager
def listening(box: NativeBox, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A session of pi's, with listeners in pi's process."""
    box.workspace.joinpath("listen.cjs").write_text(LISTENER)
    own(box.workspace / "listen.cjs")
    words = ("run", "pi", "--engine", "native", *options, "-e", f"NODE_OPTIONS=--require={box.inside}/listen.cjs")
    running = box.start(*words, "--", "--mode", "rpc", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 120
        while not (box.workspace / "listens").exists() and time.monotonic() < end:
            time.sleep(0.1)
        assert (box.workspace / "listens").exists()
        yield running
    finally:
        running.terminate()
        running.wait(30)


def publishers() -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cmdline"]) if "--publish" in (each.info["cmdline"] or ())]


@pytest.mark.parametrize("mode", ["allowlist", "none", "open"])
def test_a_browsers_answer_reaches_the_agent(box: NativeBox, mode: str) -> None:
    with listening(box, "--login", "--network", mode):
        assert not (box.workspace / "refused").exists()
        for port in PORTS:
            assert [got(port), got(port)] == [f"pi got {CODE}"] * 2, port
    assert [got(port) for port in PORTS] == ["", "", ""], "the ports end with the session"


def test_without_login_nobody_reaches_the_agent(box: NativeBox) -> None:
    """The control: the same listeners. With Landlock alone they are refused, else nothing leads to them."""
    with listening(box):
        assert (box.workspace / "refused").exists() is not box.bubblewrap
        assert [got(port) for port in PORTS] == ["", "", ""]


def test_the_ports_are_on_the_loopback_alone_whatever_the_agent_listens_on(box: NativeBox) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address = str(probe.getsockname()[0])
    with listening(box, "--login"):
        assert got(1455) == f"pi got {CODE}"
        assert [got(port, address) for port in PORTS] == ["", "", ""]
    with socket.create_server(("0.0.0.0", 1455)), socket.create_connection((address, 1455), 2):
        pass  # the control: that address is one of ours


def test_a_large_answer_comes_whole(box: NativeBox) -> None:
    script = LISTENER.replace("pi got ${request.url}", "${'x'.repeat(3000000)}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "LISTENER", script)
        with listening(box, "--login"):
            assert len(got(53692)) == 3_000_000


def test_a_port_that_is_taken_is_said_so(box: NativeBox) -> None:
    with socket.create_server(("127.0.0.1", 53692)):
        done = box.run("pi", "--version", options=("--login",))
    assert done.returncode == 125
    assert "127.0.0.1:53692" in done.stderr and "Hint:" in done.stderr
    assert box.run("pi", "--version", options=("--login",)).returncode == 0, "the control"


def test_where_the_supervisor_cannot_take_sockets_no_port_is_promised(box: NativeBox) -> None:
    """Docker's own filter refuses pidfd_getfd, and bubblewrap; then Landlock alone has to do."""
    done = box.agentbox("run", "pi", "--engine", "native", "--login", "--", "--version", preexec_fn=_no_pidfd_getfd())
    assert done.returncode == (0 if box.bubblewrap else 125), done.stderr
    assert ("pidfd_getfd is refused" in done.stderr) is not box.bubblewrap


def _no_pidfd_getfd() -> Callable[[], None]:
    """For the child between fork and exec."""
    import pyseccomp as seccomp

    made = seccomp.SyscallFilter(seccomp.ALLOW)
    made.add_rule(seccomp.ERRNO(1), "pidfd_getfd")
    return made.load  # type: ignore[no-any-return]


TRY = """
import socket
def attempt(name, address, family=socket.AF_INET, prepare=lambda s: None):
    with socket.socket(family) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            prepare(s)
            if address: s.bind(address)
            s.listen(); print(name, "listens at", s.getsockname()[0])
        except OSError as error: print(name, error.strerror)
attempt("other", ("127.0.0.1", 18080))
attempt("any-other", ("0.0.0.0", 18080))
attempt("none", None)
attempt("zero", ("127.0.0.1", 0))
attempt("two", ("127.0.0.2", 1455))
attempt("login", ("127.0.0.1", 1455))
attempt("any-login", ("0.0.0.0", 1455))
attempt("six", ("::", 1455), socket.AF_INET6)
attempt("six-only", ("::", 1455), socket.AF_INET6, lambda s: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1))
"""
# With Landlock alone: what a tool's attempts come to.
ALONE = {
    "other": "Permission denied", "any-other": "Permission denied", "none": "Permission denied",
    "zero": "Permission denied", "two": "Permission denied", "login": "listens at 127.0.0.1",
    "any-login": "listens at 127.0.0.1", "six": "listens at ::ffff:127.0.0.1", "six-only": "listens at ::1",
}  # fmt: skip


def test_a_tool_can_listen_on_those_ports_of_the_loopback_and_nowhere_else_of_this_machine(box: NativeBox) -> None:
    agent = AGENTS["pi"]
    (box.workspace / "try.py").write_text(TRY)
    outside = as_user([*own_python(), box.workspace / "try.py"]).stdout
    assert [line for line in outside.splitlines() if "listens at" not in line] == [], "the control"
    with FakeModel([Shell("python3 try.py")]) as model:
        box.allow(OWN_HOST)
        agent.seed(box, model.url.replace("127.0.0.1", OWN_HOST), agent.key)  # type: ignore[arg-type]  # a box as well
        assert box.run("pi", *agent.turn, options=(*agent.options, "--login")).returncode == 0
    said = dict(line.split(" ", 1) for line in model.results[0].splitlines() if " " in line)
    if box.bubblewrap:
        # It has a loopback of its own, and nothing leads to these ports from ours.
        assert said["other"] == "listens at 127.0.0.1"
    else:
        assert {name: said.get(name) for name in ALONE} == ALONE


def test_what_passes_answers_on_is_out_of_the_sandboxes_sight_and_ends_with_it(box: NativeBox) -> None:
    """kill -9 of agentbox. With Landlock alone there is no such process: the agent listens itself."""
    with listening(box, "--login") as running:
        there = publishers()
        assert len(there) == (len(PORTS) if box.bubblewrap else 0)
        assert {each.uids().real for each in there} <= {UID}
        if box.bubblewrap:
            words = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; cat /proc/net/tcp"
            done = box.agentbox("shell", "pi", "--engine", "native", "--", "sh", "-c", words)
            assert "rpc" in done.stdout, "the control: the agent is seen"
            assert "--publish" not in done.stdout
        connected = [socket.create_connection(("127.0.0.1", port)) for port in PORTS]
        running.send_signal(signal.SIGKILL)
        running.wait(30)
        end = time.monotonic() + 10
        while publishers() and time.monotonic() < end:
            time.sleep(0.1)
        assert publishers() == []
        for each in connected:
            with contextlib.closing(each), contextlib.suppress(ConnectionResetError):
                assert each.recv(1) == b""


def test_hermess_dashboard_answers_this_machines_browser(box: NativeBox) -> None:
    running = box.start("run", "hermes", "--engine", "native", "--dashboard", stdout=subprocess.DEVNULL)
    try:
        assert dashboard_within(150)
    finally:
        running.terminate()
        running.wait(30)
    assert not dashboard_within(1), "the control: nothing else answers there"


def dashboard_within(seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), browser.open("http://127.0.0.1:9119/", timeout=5) as answer:
            return "<html" in answer.read().decode()
        time.sleep(0.3)
    return False
