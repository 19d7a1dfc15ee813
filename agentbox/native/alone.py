"""A sandbox of Landlock alone, for machines that allow no user namespaces: the host's own paths, and nothing hidden.

The agent stands in a domain that grants what is listed here; its tools in the vault's domain besides, which grants the
same less what the policy keeps from them.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentbox import rundir
from agentbox.audit import Records
from agentbox.audit_place import PLACE
from agentbox.credentials import shown_to_tools
from agentbox.errors import EngineError
from agentbox.harness import Installed
from agentbox.identity import Identity
from agentbox.native import harness, landlock, places, seccomp
from agentbox.native.instance import compiled, copy, translated
from agentbox.native.landlock import ALL, DEVICE, READ, RUN, Rules
from agentbox.native.layout import Layout, bundle_of, parts, record
from agentbox.native.places import HOME, LIBRARY
from agentbox.native.session import Start
from agentbox.policy import render_all
from agentbox.policy_model import Policy
from agentbox.request import Request
from agentbox.resources import tree

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
READABLE = ("/proc", "/sys/devices/system/cpu")
ETC = ("passwd", "group", "hosts", "nsswitch.conf", "resolv.conf")
PLAIN = re.compile(r"[A-Za-z0-9_./@+-]+")


def lay_out(request: Request, installed: Installed, folder: Path, records: Records) -> Layout:
    """Write what the session needs, with its own paths in it. Raises EngineError where that cannot be done."""
    if not PLAIN.fullmatch(str(folder)):
        hint = "install bubblewrap, or set XDG_STATE_HOME to a folder with a plain name"
        raise EngineError(str(folder), "has characters that scripts and lists cannot hold", hint)
    rundir.begin(folder, request.identity, request.mounts)
    found = _places(request, folder) | {PLACE: str(records.inside)}
    for name in ("home", "tmp"):
        (folder / name).mkdir(0o700)
        _own(folder / name, request.identity)
    launcher = str(folder / "bin/agentbox-launch")
    policy = translated(shown_to_tools(request.policy, request.keys), found)
    policy = harness.known_by(policy, installed, launcher)
    policy = policy._replace(vault=policy.vault._replace(tree=_tree(policy)))
    _library(request, installed, folder, found)
    rules = _rules(request, policy, installed, folder)
    rules.add(ALL, (str(records.inside),))
    _render(policy, folder, found, rules)
    rundir.placeholders(folder / "etc", request.keys)
    (folder / "etc/gitconfig").write_text(places.GITCONFIG)
    bundle = folder / "etc/ca-certificates.crt"
    bundle.write_bytes(bundle_of(request))
    record(request, folder, [str(mount.source) for mount in request.mounts])
    return Layout(folder, bundle, rules=rules, places=found)


def _places(request: Request, folder: Path) -> dict[str, str]:
    """A container's places, and where they are now. The longer ones first."""
    home = request.identity.home
    found = {state.path: os.path.realpath(home / state.host) for state in request.policy.state}
    found |= {f"{LIBRARY}/bin": f"{folder}/bin", LIBRARY: f"{folder}/lib", "/etc/agentbox": f"{folder}/etc"}
    found |= {mount.target: str(mount.source) for mount in request.mounts}
    found |= {place.path: f"{folder}/tmp" for place in request.policy.tmpfs if place.path.startswith("/run/")}
    return found | {HOME: f"{folder}/home", "/tmp": f"{folder}/tmp"}


def _tree(policy: Policy) -> str:
    """The deepest folder that all of the agent's state lies in."""
    return os.path.commonpath([state.path for state in policy.state])


def _library(request: Request, installed: Installed, folder: Path, found: Mapping[str, str]) -> None:
    """The compiled parts, the guards and the entrypoint."""
    mentioned = {old: new for old, new in found.items() if old in (LIBRARY, "/etc/agentbox", HOME)}
    for name in ("bin", "lib", "lib/first"):
        (folder / name).mkdir(0o755)
    for name, path in parts().items():
        target = folder / ("lib" if name.endswith(".so") else "bin") / name
        if name == "agentbox-enter":
            target.symlink_to(path)
        else:
            compiled(path, target, found)
    states = {state.path: found[state.path] for state in request.policy.state if PLAIN.fullmatch(found[state.path])}
    scripts = mentioned | states  # without them a second agent starts without the first one's settings
    for name, path in (places.library(request.policy) | {"second.sh": tree("containers") / "base/second.sh"}).items():
        if not name.endswith(".so"):
            copy(path, folder / "lib" / name, scripts if name.endswith(".sh") else mentioned)
    if (code := harness.compiled(request.policy, installed)) and code.is_dir():
        (folder / "lib" / code.name).symlink_to(code)
    harness.plugins(request.policy, installed, folder / "lib", f"{folder}/lib")
    copy(tree("containers") / "entrypoint.sh", folder / "lib/entrypoint.sh", mentioned)
    starter = folder / "lib/first" / request.policy.command.argv[0]
    starter.write_text(harness.starter(installed))
    starter.chmod(0o755)
    (folder / "bin" / starter.name).symlink_to(folder / "lib/second.sh")
    (folder / "home/.profile").write_text(places.PROFILE.replace(LIBRARY, str(folder)))


def _rules(request: Request, policy: Policy, installed: Installed, folder: Path) -> Rules:
    """The outer domain."""
    rules = Rules()
    system = [os.path.realpath(path) for path in places.SYSTEM if Path(path).exists()]
    rules.add(RUN, dict.fromkeys(system))
    rules.add(RUN, (*harness.readable(installed), f"{folder}/bin", f"{folder}/lib"))
    rules.add(RUN, [str(path) for path in parts().values()])
    rules.add(READ, (*READABLE, *(os.path.realpath(f"/etc/{name}") for name in (*places.ETC, *ETC)), f"{folder}/etc"))
    rules.add(READ, (f"{folder}/probe",))
    rules.add(DEVICE, [f"/dev/{name}" for name in DEVICES])
    rules.add(DEVICE, terminals())
    rules.add(ALL, (f"{folder}/home", f"{folder}/tmp", *(state.path for state in policy.state)))
    for mount in (*request.mounts, *request.git.mounts):
        rules.add(RUN if mount.read_only else ALL, (str(mount.source),))
    return rules


def _render(policy: Policy, folder: Path, found: Mapping[str, str], rules: Rules) -> None:
    """etc/: as the images have it, but that a tool's domain grants what the outer one does, less the probe."""
    etc = folder / "etc"
    etc.mkdir(0o755)
    probe = folder / "probe"
    probe.touch(0o444)
    (etc / "probe").symlink_to(probe)
    for name, text in render_all(policy).items():
        (etc / name).write_text(text.replace(LIBRARY, found[LIBRARY]).replace(PLACE, found[PLACE]))
    # What is typed into the terminal is for the agent. Tools have its descriptors where the agent hands them over.
    kept = {str(probe), *terminals()}
    paths = dict.fromkeys(path for path, _ in rules.paths if path not in kept)
    grants = [path for path in paths if Path(path).exists()]
    for path in grants:
        if "\n" in path:
            raise EngineError(path, "cannot stand in a list of lines", "install bubblewrap, or rename the folder")
    lines = "".join(f"grant {path}\n" for path in grants)
    text = (etc / "vault.policy").read_text().removesuffix("end\n")
    (etc / "vault.policy").write_bytes(os.fsencode(f"{text}{lines}end\n"))


def confinement(  # noqa: PLR0913  one for each of agentbox-enter's own
    start: Start, folder: Path, rules: Rules | None, port: int | None, *, filtered: bool, serve: Sequence[int] = ()
) -> list[str]:
    """agentbox-enter with the domain and the filter that stand around a session, and a supervisor. `port` is the only
    one on the host's loopback that the filter lets through, 0 for none; None where the network is open. Ports to
    `serve` are those that it may listen on there."""
    words = [f"{folder}/bin/agentbox-enter", "--supervise", str(os.getpid())]
    if rules is not None:
        words += ["--landlock", str(start.keep(landlock.ruleset(rules)))]
    if filtered:
        variant = "alone-open" if port is None else "alone-serving" if serve else "alone"
        words += ["--seccomp", str(start.keep(seccomp.program(variant)))]
        words += [] if port is None else ["--connect", str(port)]
        words += [word for each in serve if port is not None for word in ("--serve", str(each))]
    return words


def terminals() -> set[str]:
    """The one that we are on. Others are the user's other shells, and a new one cannot be told from them."""
    found = set()
    for fd in range(3):
        with contextlib.suppress(OSError):  # none, or of another devpts, where it has no name here
            found.add(os.ttyname(fd))
    return found


def processes(uid: int) -> int:
    """How many processes and threads the user has: RLIMIT_NPROC counts them all where there is no user namespace."""
    count = 0
    for name in os.listdir("/proc"):  # noqa: PTH208  names are enough
        with contextlib.suppress(OSError):
            if name.isdigit() and Path("/proc", name).stat().st_uid == uid:
                count += len(os.listdir(f"/proc/{name}/task"))  # noqa: PTH208  as above
    return count


def _own(path: Path, identity: Identity) -> None:
    if os.geteuid() == 0:
        os.chown(path, identity.uid, identity.gid)
