"""One run of an agent without a container engine: from a request to an exit code, leaving nothing behind."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from agentbox import audit, egress, owner
from agentbox.errors import EngineError
from agentbox.forwarder import POLL_SECONDS, Forwarder
from agentbox.harness import Installed
from agentbox.hostenv import paranoid
from agentbox.interruption import undisturbed
from agentbox.native import alone as landlocked
from agentbox.native import bubblewrap, environment, harness, join, landlock, layout, limits, seccomp
from agentbox.native.broker import Broker
from agentbox.native.bubblewrap import Box
from agentbox.native.instance import moved
from agentbox.native.layout import Layout
from agentbox.native.parts import Parts
from agentbox.native.places import HOME, LIBRARY, SEARCH
from agentbox.native.publish import Published
from agentbox.native.session import Session, Start
from agentbox.request import Request
from agentbox.state import remove_tree, tighten


def run(request: Request, installed: Installed, python: Path | None) -> int:
    """Run the agent to its end and return its exit code. Raises AgentboxError if it never started. `python` is the
    broker's, where there is to be one."""
    run_id = os.urandom(6).hex()
    why = bubblewrap.missing()
    check(request, why)
    owner.clean(None, request.identity, run_id)
    with (
        Published(request, alone=bool(why)) as ports,
        sandbox(request, installed, python, run_id, alone=bool(why)) as (made, session),
        Forwarder(session.kill) as forwarder,
    ):

        def started(sandbox: int, agent: int) -> None:
            join.note(made, sandbox, agent)
            ports.lead_to(session.agent)

        forwarder.process = session.start()
        return session.wait(started)


def wait_beside(session: Session, output: IO[bytes], stop: threading.Event) -> int:
    """Start one of several at a time, and wait for it: what it prints goes to `output`, and `stop` ends it. Signals are
    the caller's."""
    process, over = session.start(output), threading.Event()

    def end() -> None:
        while not over.wait(POLL_SECONDS):
            if stop.is_set():
                process.terminate()
                return

    ender = threading.Thread(target=end, daemon=True)
    ender.start()
    try:
        return session.wait()
    finally:
        over.set()
        ender.join()


@contextmanager
def sandbox(
    request: Request, installed: Installed, python: Path | None, run_id: str, *, alone: bool
) -> Iterator[tuple[Layout, Session]]:
    """Lay a run out, `alone` without bubblewrap; afterwards nothing of it is left."""
    folder = owner.run_root(request.identity) / run_id
    records = audit.begin(request.identity, request.policy.agent, run_id, request.workspace)
    audit.note_masks(records, request.masks, [*request.mounts, *request.git.mounts], request.identity)
    try:
        made = (landlocked if alone else layout).lay_out(request, installed, folder, records)
        broker = Broker(request, made, records, python, shared=alone) if python and request.brokered else None
        parts = (_alone if alone else _contained)(request, made, installed)
        if request.alter:
            request.alter(parts)
        start = _start(parts, request)
        limits.bound(start, request.policy.limits)
        with Session(start, broker, request.identity) as session:
            yield made, session
    finally:
        with undisturbed():
            egress.remove_secrets(request.identity, run_id)
            remove_tree(folder)
            records.close()
            tighten(request.policy, request.identity)
            if request.ended:
                request.ended(records)


def check(request: Request, alone_because: str) -> None:
    """What cannot be enforced here is refused, unless PARANOID_MODE says otherwise. Raises EngineError."""
    wrong = None
    if not landlock.abi():
        wrong = ("native engine", "the running kernel has no Landlock", "lsm=landlock at boot, or --engine docker")
    elif alone_because and (why := seccomp.missing()):
        wrong = ("native engine", f"neither bubblewrap ({alone_because}) nor seccomp ({why})", bubblewrap.INSTALL)
    elif alone_because and request.masks:
        names = f"{len(request.masks)} secrets in the folders, {request.masks[0].host} first"
        wrong = (names, f"cannot be masked: {alone_because}", f"{bubblewrap.INSTALL}; or show them with --no-mask")
    if wrong and paranoid(os.environ) == "true":
        subject, cause, hint = wrong
        raise EngineError(subject, cause, f"{hint}; PARANOID_MODE=false starts all the same")


def _variables(request: Request, made: Layout, installed: Installed, bundle: str) -> dict[str, str]:
    """All but the proxy's address."""
    home, search = moved(HOME, made.places), ":".join(moved(each, made.places) for each in SEARCH.split(":"))
    found = environment.of_the_image(request.identity, bundle, home, search)
    found |= environment.filled(request.environment, request.private, os.environ)
    found |= {name: moved(found[name], made.places) for name in request.policy.env.fixed if name in found}
    return found | dict(installed.env) | harness.variables(request.policy, moved(LIBRARY, made.places))


def _at(variables: dict[str, str], port: int) -> dict[str, str]:
    """With the broker where it is."""
    return {name: text.replace(egress.PROXY, f"http://127.0.0.1:{port}") for name, text in variables.items()}


def _contained(request: Request, made: Layout, installed: Installed) -> Parts:
    """In namespaces of its own. The broker's socket is made inside, and handed out."""
    environ = _at(_variables(request, made, installed, "/etc/agentbox/ca-certificates.crt"), egress.PORT)
    command = [f"{LIBRARY}/bin/agentbox-launch", "/bin/sh", "/entrypoint.sh", *request.command]
    return Parts(made, environ, command, limits.numbers(request.policy.limits), not seccomp.missing(), box=made.box)


def _alone(request: Request, made: Layout, installed: Installed) -> Parts:
    """In a domain, among the user's other processes. The broker's socket is on the host's own loopback."""
    assert made.rules is not None
    launcher, entrypoint = f"{made.folder}/bin/agentbox-launch", f"{made.folder}/lib/entrypoint.sh"
    command = [launcher, "/bin/sh", entrypoint, *request.command]
    bounds = limits.numbers(request.policy.limits, landlocked.processes(request.identity.uid))
    parts = Parts(made, {}, command, bounds, not seccomp.missing(), rules=made.rules if landlock.abi() else None)
    parts.cwd = str(request.mounts[0].source) if request.mounts else f"{made.folder}/home"
    if request.brokered:
        parts.listener = socket.create_server(("127.0.0.1", 0))
        parts.port = parts.listener.getsockname()[1]
    parts.environ = _at(_variables(request, made, installed, f"{made.folder}/etc/ca-certificates.crt"), parts.port)
    parts.environ |= {
        "TMPDIR": f"{made.folder}/tmp",
        "LD_PRELOAD": f"{made.folder}/lib/fs-vault.so",
        "GIT_CONFIG_SYSTEM": f"{made.folder}/etc/gitconfig",
    }
    made.rules.ports = None if request.policy.network.mode == "open" else (parts.port,) if parts.port else ()
    return parts


def _start(parts: Parts, request: Request) -> Start:
    """The parts as words and descriptors."""
    start = Start(parts.environ, command=parts.command, cwd=parts.cwd, listener=parts.listener)
    if parts.box is not None:
        return _in_namespaces(start, parts, parts.box, brokered=request.brokered)
    port = None if request.policy.network.mode == "open" else parts.port
    serve = [each.container for each in request.policy.published(request.ports)]
    start.words = landlocked.confinement(
        start, parts.layout.folder, parts.rules, port, filtered=parts.filtered, serve=serve
    )
    start.words += limits.words(parts.limits)
    return start


def _in_namespaces(start: Start, parts: Parts, box: Box, *, brokered: bool) -> Start:
    given = start.keep(os.memfd_create("agentbox-bwrap", os.MFD_CLOEXEC))
    os.write(given, bubblewrap.arguments(box))
    os.lseek(given, 0, os.SEEK_SET)
    start.words = [bubblewrap.program(), "--args", str(given), "--", f"{LIBRARY}/bin/agentbox-enter"]
    start.words += limits.words(parts.limits)
    start.words += ["--listen", str(egress.PORT)] if brokered else []
    if parts.filtered:
        start.words += ["--seccomp", str(start.keep(seccomp.program("namespace")))]
    else:
        # Nothing else would keep a tool from typing into the terminal; job control is the price.
        start.words.insert(3, "--new-session")
    return start
