"""The broker as a child of agentbox: the same program as in the sidecar, in an environment of its own in the cache."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from agentbox import egress, programs, resources, state
from agentbox.audit import Records
from agentbox.errors import EngineError, InstallError
from agentbox.hosts import OWN_HOST
from agentbox.identity import Identity
from agentbox.native import kept, landlock
from agentbox.native.landlock import ALL, DEVICE, READ, RUN, Rules
from agentbox.native.layout import Layout
from agentbox.native.places import SYSTEM
from agentbox.policy_model import Policy
from agentbox.request import Request
from agentbox.state import make_dir

# mitmproxy 12 needs the first; where there is none, its last release for the second is installed.
WANTED, OLDEST = (3, 12), (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12")
CANDIDATES = (*NEWER, "python3", "python3.11")
KEPT = (
    ".local/share/uv/python/cpython-3.1[1-9]*/bin/python3.1[1-9]",
    ".pyenv/versions/3.1[1-9]*/bin/python3.1[1-9]",
)
HINT = "install Python's venv module (apt install python3-venv), or run with --network none or open"
ETC = (
    "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/ssl", "/etc/pki",
    "/etc/ld.so.cache", "/etc/localtime", "/etc/services", "/run/systemd/resolve", "/proc",
)  # fmt: skip


def find_python(identity: Identity) -> tuple[str, tuple[int, int]]:
    """An interpreter for the broker and its version: agentbox's, one on PATH, or one that uv or pyenv keep. The first
    that is WANTED, else the first that does. Raises EngineError where there is none that the user can start."""
    kept = [str(path) for pattern in KEPT for path in sorted(identity.home.glob(pattern), reverse=True)]
    older: tuple[str, tuple[int, int]] | None = None
    for program in filter(None, (sys.executable, *map(programs.find, CANDIDATES), *kept)):
        version = _version(program, identity)
        if version >= WANTED:
            return program, version
        if version >= OLDEST:
            older = older or (program, version)
    if older:
        return older
    raise EngineError("broker", f"found no Python {'.'.join(map(str, OLDEST))} or newer that can make a venv", HINT)


def _version(program: str, identity: Identity) -> tuple[int, int]:
    """(0, 0) where the user cannot start it, or it can make no environment."""
    probe = "import sys, venv, ssl, ensurepip; print(*sys.version_info[:2])"
    try:
        done = subprocess.run(
            [program, "-I", "-c", probe], capture_output=True, text=True, check=False, cwd="/", **as_user(identity)
        )
    except OSError:
        return (0, 0)
    major, minor = map(int, done.stdout.split()) if done.returncode == 0 else (0, 0)
    return major, minor


def ensure(identity: Identity, progress: Callable[[str], None], policy: Policy | None = None) -> Path:
    """The interpreter of the broker's environment, made where there is none or a newer Python has come. `policy` may
    name certificates to trust besides. Raises EngineError, InstallError."""
    newer, older = _places(identity)
    # Which Python there is takes a process each to tell; that one of a newer name has come, a look at PATH.
    useless = older / "useless"
    for folder in (newer, older):
        if _is_ready(folder) and (folder == newer or _named() in ("", kept.text(str(useless)))):
            return folder / "bin/python"
    base, version = find_python(identity)
    folder = newer if version >= WANTED else older
    if not _is_ready(folder):
        _install(base, folder, identity, progress, policy)
    if folder == older:
        state.write_file(useless, _named().encode(), identity)
    return folder / "bin/python"


def _places(identity: Identity) -> tuple[Path, Path]:
    """The environment for a Python that is WANTED, and the one for an older."""
    wanted = (resources.tree("containers") / "egress/requirements.txt").read_bytes()
    newer = identity.own_cache / "broker" / hashlib.sha256(wanted).hexdigest()[:12]
    return newer, newer.with_name(f"{newer.name}-older")


def clean(identity: Identity) -> list[Path]:
    """Remove what killed installations left, and environments of other versions while no session runs that may use one.
    Returns their paths."""
    from agentbox.native import sessions

    kept, idle = _places(identity), not sessions.running(identity)
    found = sorted((identity.own_cache / "broker").glob("*"))
    removed = [path for path in found if (_abandoned(path) if path.name[0] == "." else idle and path not in kept)]
    for path in removed:
        state.remove_tree(path)
    return removed


def _abandoned(part: Path) -> bool:
    """Whether the process is gone that made it, as _install names it."""
    pid = part.name.rpartition(".")[2]
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, OverflowError):
        pass
    return False


def _named() -> str:
    """The Pythons on PATH that are called newer, and when their libraries have changed: venv may have come."""
    found = [Path(os.path.realpath(path)) for path in map(programs.find, NEWER) if path]
    return " ".join(f"{path} {_changed(path.parents[1] / 'lib' / path.name)}" for path in found)


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _is_ready(folder: Path) -> bool:
    return (folder / "ready").exists() and (folder / "bin/python").exists()


def _install(
    base: str, folder: Path, identity: Identity, progress: Callable[[str], None], policy: Policy | None
) -> None:
    from agentbox.images import ca_bundle

    extra = ca_bundle(None, policy) if policy else None
    state.make_dir(folder.parent, identity)
    part = folder.with_name(f".{folder.name}.{os.getpid()}")
    progress("installing the broker (once)")
    try:
        # -I: a PYTHONPATH of the user's would make pip take for installed what the broker will not find.
        _run([base, "-I", "-m", "venv", str(part)], identity)
        pip = [str(part / "bin/python"), "-I", "-m", "pip", "install", "--disable-pip-version-check"]
        pip += _trusting(extra, part, identity)
        _run([*pip, "--no-deps", "-r", str(resources.tree("containers") / "egress/requirements.txt")], identity)
        (part / "ready").touch()
        state.remove_tree(folder)
        part.rename(folder)  # an environment of its own never moves its interpreter: we call that by path
    finally:
        state.remove_tree(part)


def _trusting(extra: Path | None, part: Path, identity: Identity) -> list[str]:
    """pip's option for the certificates that it shall trust besides its own and the user's."""
    from agentbox.harness import settings, web

    named = [settings.pip(identity.home, os.environ).cert, str(extra)] if extra else []
    found = web.bundle([Path(name) for name in named if name and Path(name).is_file()], part / "certificates.pem")
    return [f"--cert={found}"] if found else []


def _run(words: list[str], identity: Identity) -> None:
    from agentbox.harness import pypi

    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/", **as_user(identity))
    if done.returncode:
        error = pypi.failure("broker", (done.stderr or done.stdout).splitlines())
        hint = f"{error.hint}; --network none or open do without the broker"
        raise InstallError("broker", error.cause, hint)


def as_user(identity: Identity) -> dict[str, Any]:
    """What makes a child the identity's: where agentbox is root, it is root alone."""
    if os.geteuid() != 0:
        return {}
    return {"user": identity.uid, "group": identity.gid, "extra_groups": []}


class Broker:
    """One session's broker. Started when somebody asks for it, or an agent is there to stay."""

    def __init__(self, request: Request, made: Layout, records: Records, python: Path, *, shared: bool) -> None:
        self.shared = shared  # its port is on a loopback that other users have too
        self.request, self.folder, self.bundle, self.python = request, made.folder, made.bundle, python
        self.records = records
        self.log = records.egress / "broker.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, listener: socket.socket) -> subprocess.Popen[bytes]:
        """Start it on a listening socket; again, with the rules as they have become."""
        place, scratch = self._place, make_dir(self.folder / "broker", self.request.identity)
        enter = str(resources.lib("agentbox-enter"))
        words = [enter, "--supervise", str(os.getpid()), "--limit", "core=0"]
        passed = [listener.fileno()]
        if landlock.abi():
            passed.append(landlock.ruleset(self._domain(place, scratch)))
            words += ["--landlock", str(passed[-1])]
        words += ["--", *self._command(place, scratch, listener)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                words, env=environment(), cwd=scratch, pass_fds=passed, process_group=0, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, **as_user(self.request.identity),
            )  # fmt: skip
        for fd in passed[1:]:
            os.close(fd)
        return self.process

    def stop(self) -> None:
        """End it, where it runs."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    @cached_property
    def _place(self) -> egress.Broker:
        """Laid out once: `agentbox allow` may change its rules later."""
        from agentbox.images import ca_bundle, certificates

        request = self.request
        extra = ca_bundle(None, request.policy)
        return egress.lay_out(
            request.policy,
            request.identity,
            request.keys,
            self.folder.name,
            owner=(self.folder / "owner").read_text(),
            folder=self.folder,
            audit=self.records.egress,
            engine_version="",
            ports=[],
            environ=os.environ,
            bundle=certificates(extra, "CA bundle") if extra else None,
            contained=False,
        )

    def _command(self, place: egress.Broker, scratch: Path, listener: socket.socket) -> list[str]:
        words = [str(self.python), "-P", "-m", "broker", "--rules", str(place.rules / "rules.json")]
        words += ["--secrets", str(place.secrets), "--ca", str(place.authority), "--log", str(place.audit)]
        words += ["--state", str(scratch), "--bundle", str(self.bundle), "--listen-fd", str(listener.fileno())]
        words += ["--shared-loopback"] if self.shared else []
        named = {name: address for name, address in place.addresses.items() if address != "host-gateway"}
        named = {OWN_HOST: "127.0.0.1"} | named
        return words + [word for pair in named.items() for word in ("--named", "=".join(pair))]

    def _domain(self, place: egress.Broker, scratch: Path) -> Rules:
        """What it may touch: its parser reads what strangers send, and it holds the keys."""
        rules = Rules()
        base = Path(os.path.realpath(self.python)).parent.parent
        rules.add(RUN, (*SYSTEM, str(self.python.parent.parent), str(base)))
        own = (resources.tree("containers") / "egress", place.rules, place.secrets, place.authority, self.bundle)
        rules.add(READ, (*ETC, *map(str, own)))
        rules.add(DEVICE, ("/dev/null", "/dev/urandom", "/dev/random"))
        rules.add(ALL, (str(scratch), str(place.audit)))
        return rules


def environment() -> dict[str, str]:
    """The broker gets nothing of the user's."""
    library = str(resources.tree("containers") / "egress")
    return {"PYTHONPATH": library, "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8", "PATH": os.defpath}
