"""One run of an agent without a container engine: from a request to an exit code, leaving nothing behind."""

from __future__ import annotations

import os
import socket
from functools import partial
from pathlib import Path

from agentbox import audit, egress, owner
from agentbox.errors import EngineError
from agentbox.harness import Installed
from agentbox.hostenv import paranoid
from agentbox.native import alone, bubblewrap, environment, join, landlock, layout, limits, seccomp
from agentbox.native.broker import Broker
from agentbox.native.instance import moved
from agentbox.native.layout import Layout
from agentbox.native.places import HOME, LIBRARY, SEARCH
from agentbox.native.session import Session, Start
from agentbox.session import Forwarder, Request
from agentbox.state import remove_tree, tighten


def run(request: Request, installed: Installed, python: Path | None) -> int:
    """Run the agent to its end and return its exit code. Raises AgentboxError if it never started. `python` is the
    broker's, where there is to be one."""
    run_id = os.urandom(6).hex()
    why = bubblewrap.missing()
    check(request, why)
    owner.clean(None, request.identity, run_id)
    folder = owner.run_root(request.identity) / run_id
    records = audit.begin(request.identity, request.policy.agent, run_id, request.workspace)
    audit.note_masks(records, request.masks, [*request.mounts, *request.git.mounts], request.identity)
    try:
        made = (alone if why else layout).lay_out(request, installed, folder, records)
        broker = Broker(request, made, records, python, shared=bool(why)) if python is not None else None
        start = _alone(request, made, installed) if why else _contained(request, made, installed)
        limits.bound(start, request.policy.limits)
        with Session(start, broker, request.identity) as session, Forwarder(session.kill) as forwarder:
            forwarder.process = session.start()
            return session.wait(partial(join.note, made))
    finally:
        egress.remove_secrets(request.identity, run_id)
        remove_tree(folder)
        records.close()
        tighten(request.policy, request.identity)


def check(request: Request, alone_because: str) -> None:
    """What cannot be enforced here is refused, unless PARANOID_MODE says otherwise. Raises EngineError."""
    wrong = None
    if request.ports:
        raise EngineError("--dashboard and --login", "are not there without a container", "use --engine docker")
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
    return found | dict(installed.env)


def _at(variables: dict[str, str], port: int) -> dict[str, str]:
    """With the broker where it is."""
    return {name: text.replace(egress.PROXY, f"http://127.0.0.1:{port}") for name, text in variables.items()}


def _contained(request: Request, made: Layout, installed: Installed) -> Start:
    """In namespaces of its own. The broker's socket is made inside, and handed out."""
    assert made.box is not None
    start = Start(_at(_variables(request, made, installed, "/etc/agentbox/ca-certificates.crt"), egress.PORT))
    given = start.keep(os.memfd_create("agentbox-bwrap", os.MFD_CLOEXEC))
    os.write(given, bubblewrap.arguments(made.box))
    os.lseek(given, 0, os.SEEK_SET)
    start.words = [bubblewrap.program(), "--args", str(given), "--", f"{LIBRARY}/bin/agentbox-enter"]
    start.words += limits.words(request.policy.limits)
    start.words += ["--listen", str(egress.PORT)] if request.brokered else []
    if not seccomp.missing():
        start.words += ["--seccomp", str(start.keep(seccomp.program(namespace=True)))]
    else:
        # Nothing else would keep a tool from typing into the terminal; job control is the price.
        start.words.insert(3, "--new-session")
    start.command = [f"{LIBRARY}/bin/agentbox-launch", "/bin/sh", "/entrypoint.sh", *request.command]
    return start


def _alone(request: Request, made: Layout, installed: Installed) -> Start:
    """In a domain, among the user's other processes. The broker's socket is on the host's own loopback."""
    assert made.rules is not None
    mode, port = request.policy.network.mode, 0
    start = Start({}, cwd=str(request.mounts[0].source) if request.mounts else f"{made.folder}/home")
    if request.brokered:
        start.listener = socket.create_server(("127.0.0.1", 0))
        port = start.listener.getsockname()[1]
    start.environ = _at(_variables(request, made, installed, f"{made.folder}/etc/ca-certificates.crt"), port)
    start.environ |= {
        "TMPDIR": f"{made.folder}/tmp",
        "LD_PRELOAD": f"{made.folder}/lib/fs-vault.so",
        "GIT_CONFIG_SYSTEM": f"{made.folder}/etc/gitconfig",
    }
    made.rules.ports = None if mode == "open" else (port,) if port else ()
    start.words = alone.confinement(start, made.folder, made.rules)
    start.words += limits.words(request.policy.limits, alone.processes(request.identity.uid))
    launcher, entrypoint = f"{made.folder}/bin/agentbox-launch", f"{made.folder}/lib/entrypoint.sh"
    start.command = [launcher, "/bin/sh", entrypoint, *request.command]
    return start
