"""The native engine inside a container that somebody else made: Docker's own filter, no rights, no user namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from boxes import AGENTS, Agent, assert_only_tools_are_refused
from fake_model import FakeModel, Read, Shell
from native_box import OWN_HOST, ROOT, SHARED, UID, NativeBox, broker_python, make_box, own_python

pytestmark = [pytest.mark.engine, pytest.mark.npm, pytest.mark.slow]

IMAGE = "node:24-trixie-slim"
CANARY = "canary-of-the-user"
PLANTED = (".ssh/id_ed25519", ".aws/credentials", "other-project/secret.txt")


@pytest.fixture
def box() -> Iterator[NativeBox]:
    """With the broker and pi in the cache: inside nothing needs to be installed."""
    with tempfile.TemporaryDirectory(prefix="agentbox-box-", ignore_cleanup_errors=True) as folder:
        box = make_box(Path(folder))
        assert broker_python() is not None, "no Python 3.12 or newer for the broker"
        assert box.run("pi", "--version").returncode == 0
        yield box


def inside(box: NativeBox, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run something in an unprivileged container that has this machine's programs, the box and its caches."""
    python = Path(own_python()[0]).resolve().parents[1]
    writable = {str(box.home.parent), str(SHARED)}
    readable = {"/usr", "/etc/ssl", "/etc/ld.so.cache", str(ROOT), sys.prefix, str(python)} - writable
    readable |= {path for path in (os.environ.get("SSL_CERT_FILE"), os.environ.get("AGENTBOX_CA_BUNDLE")) if path}
    command = ["docker", "run", "--rm", f"--user={UID}:{UID}", "--network=host", f"--workdir={box.workspace}"]
    command += [f"--volume={path}:{path}:ro" for path in sorted(readable)]
    command += [f"--volume={path}:{path}" for path in sorted(writable)]
    command += [f"--env={name}={value}" for name, value in box.environment().items()]
    return subprocess.run([*command, IMAGE, *words], capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
def test_a_whole_turn_in_an_unprivileged_container(agent: Agent, box: NativeBox) -> None:
    assert box.run(agent.name, "--version").returncode == 0  # installs it
    planted = [box.put(path, CANARY) for path in PLANTED]
    names = " ".join(map(str, planted))
    refused = inside(box, ["unshare", "--user", "true"])
    assert "Operation not permitted" in refused.stderr, "this container allows user namespaces"
    assert inside(box, ["cat", *map(str, planted)]).stdout.count(CANARY) == len(planted), "the control fails"

    box.bubblewrap = False  # it is there, and cannot be used: only where the paths are is asked of the box
    secret = box.secret(agent)
    box.bubblewrap = True
    script = [Shell(f"cat {secret}; echo status=$?; cat {names}; ls {box.home}/.ssh"), Read(secret)]
    script += [Read(str(path)) for path in planted]
    box.allow(OWN_HOST)
    with FakeModel(script) as model:
        agent.seed(box, model.url.replace("127.0.0.1", OWN_HOST), agent.key)  # type: ignore[arg-type]  # a box as well
        run = inside(box, box.words("run", agent.name, "--engine", "native", *agent.options, "--", *agent.turn))

    assert_only_tools_are_refused(run, agent, model)
    assert "user namespaces are not to be had here" in run.stderr
    assert len(model.results) == len(script)
    assert CANARY not in "".join(model.results)
    assert "id_ed25519\n" not in model.results[0]
    audit = [path.read_text() for path in (box.home / ".local/state/agentbox/audit").glob("*/egress/audit.jsonl")]
    assert OWN_HOST in "".join(audit), "the turn did not go through the broker"


def test_connections_to_others_are_refused_there_too(box: NativeBox) -> None:
    """Docker's filter keeps the supervisor from the caller's socket: it gives one of its own, to the broker or to nobody."""
    probe = """
import os, socket
port = int(os.environ["HTTP_PROXY"].rpartition(":")[2])
def attempt(host, port, timeout):
    with socket.socket() as s:
        s.settimeout(timeout)
        try:
            s.connect((host, port))
            s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            print("reached", s.recv(4) == b"HTTP", s.getblocking(), os.get_inheritable(s.fileno()))
        except OSError as error: print(error.strerror)
attempt("127.0.0.1", port, None)
attempt("127.0.0.1", port, 5)
attempt("127.0.0.2", port, 5)
attempt("127.0.0.1", OTHER, 5)
with open("/dev/null") as null:
    try: socket.socket(fileno=os.dup(null.fileno())).connect(("127.0.0.1", port))
    except OSError as error: print(error.strerror)
"""
    with FakeModel([]) as model:
        other = model.url.rpartition(":")[2]
        control = f"import socket; socket.create_connection(('127.0.0.1', {other}), 5); print('reached')"
        assert inside(box, [*own_python(), "-c", control]).stdout == "reached\n", "the control fails"
        words = ("shell", "pi", "--engine", "native", "--", "python3", "-c", probe.replace("OTHER", other))
        done = inside(box, box.words(*words))
    reached = ["reached True True False", "reached True True False"]
    assert done.stdout.splitlines()[:2] == reached, done.stdout + done.stderr
    assert done.stdout.splitlines()[2:4] == ["Permission denied", "Permission denied"]
    assert done.stdout.splitlines()[4] == "Socket operation on non-socket"
