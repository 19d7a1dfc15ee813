"""One run of an agent: from a merged policy to an exit code, leaving nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from agentbox import audit, egress, owner, rundir
from agentbox.compose import model
from agentbox.credentials import shown_to_tools
from agentbox.engine import NO_FACTS, RUN, Engine, compose_missing, compose_program
from agentbox.errors import AgentboxError, EngineError
from agentbox.forwarder import POLL_SECONDS, STOP_SECONDS, Forwarder
from agentbox.identity import Identity
from agentbox.images import ca_bundle, certificates
from agentbox.interruption import undisturbed
from agentbox.mask import Mask, inode_of, remove_made
from agentbox.request import Request
from agentbox.state import remove_tree, tighten
from agentbox.watch import Watch


def run(request: Request, engine: Engine) -> int:
    """Run the container to its end and return the agent's exit code. Raises AgentboxError if it never started."""
    if request.ports:
        owner.clean(engine, request.identity)  # a leftover may hold the port
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    with _container(request, engine, tty) as place, Forwarder(partial(engine.kill, place.name)) as forwarder:
        process = _spawn(place.argv, {**os.environ, **request.private})
        forwarder.process = process
        watch = Watch(engine, place.name, place.run_id, STOP_SECONDS)
        with watch if request.brokered else contextlib.nullcontext():
            _clean_quietly(engine, request.identity, place.run_id)
            code = process.wait()
        if watch.lost:
            cause = f"is gone ({watch.lost}), and nothing gets out without it: the agent was ended"
            raise EngineError("broker", cause, "start it again; the agent's state is as it left it")
        return code if code == 0 and not forwarder.seen else _outcome(engine, place, code, forwarder.seen)


def run_beside(request: Request, engine: Engine, output: IO[bytes], stop: threading.Event) -> int:
    """The same for one of several at a time: what it prints goes to `output`, and `stop` ends it. Signals are the
    caller's."""
    with _container(request, engine, tty=False) as place:
        environ = {**os.environ, **request.private}
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(place.argv, env=environ, process_group=0, **pipes)
        try:
            while process.poll() is None and not stop.wait(POLL_SECONDS):
                pass
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        seen = signal.SIGTERM if stop.is_set() else 0
        return process.returncode if process.returncode == 0 else _outcome(engine, place, process.returncode, seen)


@dataclass(frozen=True, slots=True)
class Place:
    """A container that is about to start: its run, its name, and the call of Compose that starts it."""

    run_id: str
    name: str
    argv: list[str]
    compose: list[str]


@contextlib.contextmanager
def _container(request: Request, engine: Engine, tty: bool) -> Iterator[Place]:
    """Lay a run out; afterwards nothing of it is left."""
    compose = compose_program()
    run_id = os.urandom(6).hex()
    name = f"agentbox-{request.policy.agent}-{run_id}"
    folder = owner.run_root(request.identity) / run_id
    hosts = [(cover.target, str(cover.host)) for cover in request.git.covers]
    covered = [Mask(target, True, host, inode) for target, host in hosts if (inode := inode_of(host))]
    records = audit.begin(request.identity, request.policy.agent, run_id, request.workspace)
    audit.note_masks(records, request.masks, [*request.mounts, *request.git.mounts], request.identity)
    try:
        file = _lay_out(request, folder, records, run_id, tty)
        # The project's name stands in the file too, but COMPOSE_PROJECT_NAME in the environment would win over that.
        argv = [*compose, "--progress", "quiet", "--project-directory", str(folder), "--env-file", os.devnull]
        argv += ["-p", f"agentbox-{run_id}", "-f", str(file), "run", "--rm", "--name", name, *([] if tty else ["-T"])]
        # The broker, which publishes the ports in the agent's place, knows it by its service's name.
        argv += [("--use-aliases" if request.brokered else "--service-ports")] if request.ports else []
        yield Place(run_id, name, [*argv, request.policy.agent], compose)
    finally:
        with undisturbed():
            _finish(engine, request, name, folder)
            records.close()
            remove_made([*request.masks, *covered])
            tighten(request.policy, request.identity)
            if request.ended:
                request.ended(records)


def _lay_out(request: Request, folder: Path, records: audit.Records, run_id: str, tty: bool) -> Path:
    """Write the run directory: the compose file, the policy for /etc/agentbox, and what the broker reads."""
    own = rundir.begin(folder, request.identity, request.mounts)
    policy = shown_to_tools(request.policy, request.keys)
    etc = rundir.render(policy, folder / "etc", request.keys)
    options = replace(
        rundir.options(request, folder, etc, records),
        environment=request.environment,
        command=request.command,
        cpus=(request.facts or NO_FACTS).cpus,
        tty=tty,
        ports=request.ports,
        run_id=run_id,
        owner=own,
        broker=_broker(request, folder, records.egress, run_id, own) if request.brokered else None,
    )
    file = folder / "compose.json"
    file.touch(0o600)
    described = model(policy, options)
    if request.alter:
        request.alter(described)
    file.write_text(json.dumps(described))
    return file


def _broker(request: Request, folder: Path, audit: Path, run_id: str, own: str) -> egress.Broker:
    bundle = ca_bundle(None, request.policy)
    return egress.lay_out(
        request.policy,
        request.identity,
        request.keys,
        run_id,
        owner=own,
        folder=folder,
        audit=audit,
        engine_version=(request.facts or NO_FACTS).version,
        ports=[port.container for port in request.policy.published(request.ports)],
        environ=os.environ,
        bundle=certificates(bundle, "CA bundle") if bundle else None,
    )


def _spawn(argv: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start Compose. In a pipeline it gets a process group of its own: a ^C there reaches the agent through us, once,
    and Compose does not die of it first. On a terminal it must stay in ours to be allowed to read."""
    return subprocess.Popen(argv, env=environ, process_group=None if sys.stdin.isatty() else 0)


def _clean_quietly(engine: Engine, identity: Identity, run_id: str) -> None:
    """Leftovers of others are no reason to disturb this run."""
    try:
        owner.clean(engine, identity, run_id)
    except AgentboxError:
        return


def _outcome(engine: Engine, place: Place, code: int, seen: int) -> int:
    """The agent's exit code. Raises AgentboxError where there was never an agent."""
    started, died = engine.exit_of(place.name)
    if started:
        return died if died is not None else abs(code)
    if seen:
        return 128 + seen
    cause = engine.state_error(place.name)
    raise _not_started(cause, code, place.compose)


def _not_started(cause: str, code: int, compose: list[str]) -> AgentboxError:
    done = subprocess.run([*compose, "version"], capture_output=True, text=True, check=False)
    if done.returncode and (missing := compose_missing(done.stderr + done.stdout)):
        return missing
    if "no space left on device" in cause:
        return EngineError("container", "did not start: the disk is full", "docker system prune frees some")
    why = cause or f"docker compose ended with {code}, see its message above"
    return EngineError("container", f"did not start: {why}")


def _finish(engine: Engine, request: Request, name: str, folder: Path) -> None:
    """Whatever happened, no container, no network, no secret and no run directory stays."""
    egress.remove_secrets(request.identity, folder.name)
    with contextlib.suppress(AgentboxError):  # the engine is gone: the next run removes what is left, by its label
        engine.remove(name)
        if request.brokered:
            label = f"{RUN}={folder.name}"
            for container in engine.containers(label):
                engine.remove(container.name)
            for network in engine.networks(label):
                engine.remove_network(network)
    remove_tree(folder)
