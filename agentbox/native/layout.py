"""The run directory of a native session, beyond what both engines have there."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentbox import authority, rundir
from agentbox.audit import Records
from agentbox.binds import binds
from agentbox.credentials import shown_to_tools
from agentbox.errors import EngineError
from agentbox.harness import Installed
from agentbox.native import harness, places
from agentbox.native.bubblewrap import Box
from agentbox.native.landlock import Rules
from agentbox.native.places import LIBRARY
from agentbox.request import Request
from agentbox.resources import lib, tree

COMPILER = "apt install gcc libc6-dev python3-dev"
PARTS = ("agentbox-enter", "agentbox-launch", "fs-vault.so")
RECORD = "session.json"


@dataclass(frozen=True, slots=True)
class Layout:
    """What a session is made of, on disk. `bundle` are the certificates that the agent trusts. With bubblewrap there is
    a `box`; without, the `rules` of a domain, and the `places` where a container's paths are."""

    folder: Path
    bundle: Path
    box: Box | None = None
    rules: Rules | None = None
    places: Mapping[str, str] = field(default_factory=dict)


def parts() -> dict[str, Path]:
    """The compiled parts by name. Raises EngineError where this installation has none."""
    found = {name: path for name in PARTS if (path := lib(name))}
    if len(found) < len(PARTS):
        hint = f"{COMPILER}, then install agentbox again; or use Docker"
        raise EngineError("native engine", "this installation has no compiled parts", hint)
    return found


def lay_out(request: Request, installed: Installed, folder: Path, records: Records) -> Layout:
    """Write all of it, and say what goes where."""
    rundir.begin(folder, request.identity, request.mounts)
    launcher = f"{LIBRARY}/bin/agentbox-launch"
    policy = harness.known_by(shown_to_tools(request.policy, request.keys), installed, launcher)
    etc = rundir.render(policy, folder / "etc", request.keys)
    bundle = _write(etc / "ca-certificates.crt", bundle_of(request))
    mounted = binds(policy, rundir.options(request, folder, etc, records))
    files = _files(request, installed, folder)
    files |= {place: bundle for place in places.BUNDLES if Path(place).is_file()}
    box = Box(policy, mounted, files, harness.readable(installed), request.policy.network.mode == "open")
    record(request, folder, [each.source for each in mounted if each.source])
    return Layout(folder, bundle, box)


def _files(request: Request, installed: Installed, folder: Path) -> dict[str, Path]:
    """Files and folders at the places where the images have them."""
    found = {f"{LIBRARY}/{name}": path for name, path in places.library(request.policy).items()}
    for name, path in parts().items():
        found[f"{LIBRARY}/{name}" if name.endswith(".so") else f"{LIBRARY}/bin/{name}"] = path
    if (compiled := harness.compiled(request.policy, installed)) and compiled.is_dir():
        found[f"{LIBRARY}/{compiled.name}"] = compiled
    command = request.policy.command.argv[0]
    found[f"{LIBRARY}/first/{command}"] = _write(folder / "starter", harness.starter(installed).encode())
    second = _write(folder / "second", (tree("containers") / "base/second.sh").read_bytes())
    found[f"{LIBRARY}/bin/{command}"] = found[f"{LIBRARY}/second.sh"] = second
    for path in (folder / "starter", second):
        path.chmod(0o755)
    if harness.plugins(request.policy, installed, folder, LIBRARY):
        found[f"{LIBRARY}/{harness.PLUGINS}"] = folder / harness.PLUGINS
    found[f"{places.HOME}/.profile"] = _write(folder / "profile", places.PROFILE.encode())
    found["/entrypoint.sh"] = tree("containers") / "entrypoint.sh"
    found[f"{request.policy.vault.tree}/.probe"] = _write(folder / "probe", b"")
    who = request.identity
    texts = {
        "ld.so.preload": f"{LIBRARY}/fs-vault.so\n",
        "passwd": "root:x:0:0:root:/root:/bin/sh\n"
        f"{who.tag}:x:{who.uid}:{who.gid}::{places.HOME}:/bin/bash\n"
        "nobody:x:65534:65534:nobody:/:/bin/false\n",
        "group": f"root:x:0:\n{who.tag}:x:{who.gid}:\nnogroup:x:65534:\n",
        "hosts": "127.0.0.1 localhost egress agentbox\n::1 localhost\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "gitconfig": places.GITCONFIG,
    }
    if request.policy.network.mode == "open" and Path("/etc/resolv.conf").exists():
        found["/etc/resolv.conf"] = Path("/etc/resolv.conf")
    else:
        texts["resolv.conf"] = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
    (folder / "system").mkdir(0o755)
    return found | {f"/etc/{name}": _write(folder / "system" / name, text.encode()) for name, text in texts.items()}


def bundle_of(request: Request) -> bytes:
    """The certificates that the agent is to trust: this host's, and the broker's."""
    own = authority.certificate(request.identity).read_bytes() if request.brokered else b""
    return places.bundle() + b"\n" + own


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o644)
    return path


def record(request: Request, folder: Path, binds: list[str]) -> None:
    """For `ps`, `stop` and the next start's look at what is mounted."""
    known = {
        "name": f"agentbox-{request.policy.agent}-{folder.name}",
        "agent": request.policy.agent,
        "workspace": request.workspace,
        "binds": binds,
        "pid": os.getpid(),
        "started": int(time.time()),
    }
    _write(folder / RECORD, json.dumps(known).encode())
