"""The native engine's sandboxes, for verify: what is claimed of them, and what one looks like without a protection."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from agentbox.binds import Bind
from agentbox.harness import Installed
from agentbox.identity import Identity
from agentbox.native import bubblewrap, claims, run
from agentbox.native.alone import processes
from agentbox.native.broker import as_user
from agentbox.native.instance import copy, moved
from agentbox.native.landlock import ALL
from agentbox.native.parts import Parts
from agentbox.native.places import HOME
from agentbox.policy_model import Policy
from agentbox.request import Request
from agentbox.state import make_dir
from agentbox.verify.catalogue import Attack
from agentbox.verify.grounds import Job
from agentbox.verify.listener import Listener, listening_here
from agentbox.verify.outside import interpreter
from agentbox.verify.protections import GUARDS, Context
from agentbox.verify.world import INSIDE, World
from agentbox.workspace import TARGET

SLACK = 100
PROGRAMS = Path(__file__).resolve().parent / "inside"
# By attack, where the reason is another.
UNTRIED: Mapping[str, str] = {
    "network/resolver": "its control would need a name server of verify's own at port 53",
}
# Where keys lie that no agent is to read, if there is a broker.
BROKERS = ("credentials/broker-keys", "credentials/broker-keys-by-agent")
# Further protections that an attack runs into where there is Landlock alone: no Unix socket is to be had, nobody may
# listen, a domain mounts nothing, and with one of an old Landlock come neither openat2 nor io_uring (csrc/abi.c).
OUTER = frozenset({"processes"})
MORE_ALONE: Mapping[str, frozenset[str]] = {
    "process/socket": frozenset({"seccomp"}),
    "file/bind-mount": OUTER,
    "file/raw-openat2": OUTER,
    "file/io-uring": OUTER,
    "process/debugger": frozenset({"network"}),
}


@dataclass(frozen=True, slots=True)
class Sandboxes:
    """`alone`: Landlock without bubblewrap. There one user's processes are counted together, so that a bound on them
    would be another trial's too."""

    installed: Installed
    python: Path | None
    alone: bool
    name: str = "native"
    online: bool = True

    @property
    def at_once(self) -> int:
        return 1 if self.alone else 4

    def model_outside(self, mode: str) -> bool:
        """Without a network of its own its port would be the host's, and alone nothing may listen."""
        return self.alone or mode == "open"

    def without(self, off: frozenset[str]) -> Sandboxes:
        """Who is in a user namespace of bubblewrap's gets at no process outside, whatever else there is: in the control
        there is none."""
        return replace(self, alone=True) if "processes" in off else self

    def unclaimed(self, attack: Attack) -> str:
        if self.name not in attack.engines:
            return "it is an attack on containers"
        why = claims.unclaimed(alone=self.alone)
        found = [why[name] for name in sorted(attack.stopped_by) if name in why]
        if older := claims.unknown(attack.path, alone=self.alone):
            return older
        if attack.path in BROKERS and self.python is None:
            return "with this network there is no broker"
        return UNTRIED.get(attack.path) or ("; ".join(found) if len(found) == len(attack.stopped_by) else "")

    def off(self, attack: Attack) -> frozenset[str]:
        return attack.stopped_by | (MORE_ALONE.get(attack.path, frozenset()) if self.alone else frozenset())

    def listening(self, policy: Policy, identity: Identity, folder: Path) -> AbstractContextManager[Listener]:
        del policy
        return listening_here(identity, folder)

    def places(self, world: World) -> Mapping[str, str]:
        if not self.alone:
            return {}
        state = {each.path: str(Path(each.host).resolve()) for each in world.policy.state}
        return state | {TARGET: str(world.workspace), INSIDE: str(world.verify)}

    def names(self, world: World, run_id: str) -> dict[str, str]:
        keys = world.identity.secrets / run_id / "keys"
        home = world.root / "home"
        names = {"HOST_HOME": str(home), "HOST_SOCKET": str(home / "bus"), "BROKER_KEYS": str(keys)}
        names["BYSTANDER"] = f"bystander-of-{run_id}"
        if self.alone:
            # The bound counts all of the user's: still one where those end meanwhile.
            names["PIDS"] = str(world.policy.limits.pids + processes(world.identity.uid) + SLACK)
        return names

    def program(self, name: str) -> str:
        """Node is the agent's own, where it has one."""
        own = self.installed.argv[0]
        return own if name == Path(own).name else name

    def run(self, request: Request, job: Job, output: IO[bytes], stop: threading.Event) -> int:
        def alter(parts: Parts) -> None:
            _lay_in(parts, job.world, request.command)
            if job.port and request.policy.network.mode == "none":
                _let_reach(parts, job.port)
            for name in job.off:
                WITHOUT.get(name, _untouched)(parts, job.context)

        changed = replace(request, alter=alter)
        if "mounts" in job.off:
            make_dir(job.context.secrets, job.world.identity)
        made = run.sandbox(changed, self.installed, self.python, job.run_id, alone=self.alone)
        with _bystander(job.world, self.names(job.world, job.run_id)), made as (_, session):
            return run.wait_beside(session, output, stop)


def ground(installed: Installed, python: Path | None) -> Sandboxes:
    return Sandboxes(installed, python, bool(bubblewrap.missing()))


def _lay_in(parts: Parts, world: World, command: list[str]) -> None:
    """start.sh comes between the launcher and the entrypoint, as in a container."""
    places = parts.layout.places
    if places:
        named = {old: places[old] for old in (INSIDE, "/etc/agentbox", HOME)}
        named["/entrypoint.sh"] = f"{parts.layout.folder}/lib/entrypoint.sh"
        copy(PROGRAMS / "start.sh", world.verify / "start.sh", named)
    parts.command = [parts.command[0], moved(f"{INSIDE}/start.sh", places), *command]


def _let_reach(parts: Parts, port: int) -> None:
    """One of the host's loopback, where there is no network: else no agent could be told what to do."""
    parts.port = port
    if parts.rules is not None:
        parts.rules.ports = (port,)


@contextmanager
def _bystander(world: World, names: Mapping[str, str]) -> Iterator[None]:
    """Another process of the user's, outside: with a secret in its environment, and sockets that tell one."""
    place = world.root / "bystander.py"
    place.write_text((PROGRAMS / "bystander.py").read_text())
    place.chmod(0o644)
    words = [interpreter(), "-I", "-S", str(place), names["BYSTANDER"], names["HOST_SOCKET"]]
    process = subprocess.Popen(
        words, env={"HOST_SECRET": world.canary("bystander-")}, cwd="/", stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **as_user(world.identity),
    )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(world.canary("socket-").encode() + b"\n")
        process.stdin.flush()
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


# --- what a sandbox looks like without just one protection ------------------------------------------------------------


def _untouched(parts: Parts, context: Context) -> None:
    del parts, context


def _no_vault(parts: Parts, context: Context) -> None:
    """Nothing is preloaded, and nothing is started through agentbox-launch."""
    del context
    if parts.box is not None:
        parts.box.files.pop("/etc/ld.so.preload")
    parts.environ.pop("LD_PRELOAD", None)
    parts.command = ["/bin/sh", parts.command[1], "--bare", *parts.command[2:]]


def _no_guard(parts: Parts, context: Context) -> None:
    place, content = GUARDS[context.agent]
    if parts.box is None:
        Path(moved(place, parts.layout.places)).write_text(content)
        return
    file = context.folder / f"without-{place.replace('/', '-')}"
    file.write_text(content)
    file.chmod(0o644)
    parts.box.files[place] = file


def _no_filter(parts: Parts, context: Context) -> None:
    del context
    parts.filtered = False


def _home(parts: Parts, context: Context) -> None:
    """Another home, and the place of the broker's secrets. Without bubblewrap, a tool's domain names what it grants."""
    paths = [str(context.folder / "home"), str(context.secrets)]
    if parts.box is not None:
        parts.box.binds.extend(Bind(path, path) for path in paths)
        return
    if parts.rules is not None:
        parts.rules.add(ALL, paths)
    file = parts.layout.folder / "etc/vault.policy"
    lines = "".join(f"grant {path}\n" for path in paths)
    file.write_text(file.read_text().removesuffix("end\n") + f"{lines}end\n")


def _among_others(parts: Parts, context: Context) -> None:
    """In no domain but the vault's. The bound on processes would be one for all trials; and what Node compiled
    beforehand lies where this agent could write, and later ones start from it."""
    del context
    parts.rules = None
    parts.environ |= {"NODE_DISABLE_COMPILE_CACHE": "1"}
    parts.limits.pop("nproc", None)


def _capabilities(parts: Parts, context: Context) -> None:
    del context
    if parts.box is not None:
        parts.box = parts.box._replace(more=("--cap-add", "ALL"))


def _no_bound(parts: Parts, context: Context) -> None:
    del context
    parts.limits.pop("nproc", None)


WITHOUT: Mapping[str, Callable[[Parts, Context], None]] = {
    "vault": _no_vault,
    "guard": _no_guard,
    "seccomp": _no_filter,
    "mounts": _home,
    "processes": _among_others,
    "capabilities": _capabilities,
    "pids": _no_bound,
}
