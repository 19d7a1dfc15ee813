"""Where the vault is measured: mount namespaces of this machine (tests/vault_world.py), or containers of the pi image.

Each kind makes three places that differ in one thing: what /etc/ld.so.preload names (the vault, nothing, an empty object).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import vault_world  # noqa: E402  (the tests' folder is not a package)

from agentbox import identity, images, policy, resources  # noqa: E402
from agentbox.engine import Engine  # noqa: E402

SRC = Path(__file__).parent / "src"
UID = 1000
Done = subprocess.CompletedProcess[str]


class Place(Protocol):
    """Runs programs. `work` is its folder as its programs see it, `folder` as this machine does."""

    work: Path
    folder: Path

    def run(self, *argv: str, **options: Any) -> Done: ...

    def close(self) -> None: ...


def compile_all(target: Path) -> None:
    """The measuring programs and the peer."""
    csrc = resources.tree("csrc")
    core = [csrc / f"{name}.c" for name in ("policy", "rules", "path", "say", "load", "domain", "sight", "place")]
    builds: dict[str, list[str | Path]] = {
        "measure": [SRC / "measure.c"],
        "confined": [SRC / "confined.c", *core, "-static", "-D_GNU_SOURCE", f"-I{csrc}"],
        "usual.so": [SRC / "usual.c", "-shared", "-fPIC", "-fno-builtin"],
        "empty.so": ["-xc", "/dev/null", "-shared", "-nostdlib"],
    }
    for name, words in builds.items():
        subprocess.run(["cc", "-O2", *words, "-o", target / name], check=True)
    shutil.copy(target / "measure", target / "agent")


class Namespace:
    """A mount namespace of the tests."""

    def __init__(self, programs: Path, preload: str) -> None:
        self.world = vault_world.make_world(programs, vault_world.policy("/unset"), preload=preload == "vault")
        self.work = self.folder = self.world.work
        self.run, self.close = self.world.run, self.world.close
        self.world.set_policy(vault_world.policy(self.work / "agent"))
        if preload == "empty":
            self.world.inside(self._preload_empty)

    def _preload_empty(self) -> None:
        shutil.copy(self.work / "empty.so", "/etc/agentbox/fs-vault.so")
        Path("/etc/ld.so.preload").write_text("/etc/agentbox/fs-vault.so\n")


class Container:
    """A container of the pi image with pi's policy, whose agent is ./agent; made like those of `agentbox run`."""

    work = Path("/workspace")

    def __init__(self, programs: Path, preload: str) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="agentbox-bench-"))
        self.folder = self.top / "workspace"
        shutil.copytree(programs, self.folder)
        self._fill()
        lists = {"bare": "", "empty": "/workspace/empty.so\n"}
        volumes = [f"{self.folder}:/workspace", f"{self.top}/state:/agent/pi"]
        volumes += [f"{self.top}/vault.policy:/etc/agentbox/vault.policy:ro"]
        if preload in lists:
            (self.top / "preload").write_text(lists[preload])
            volumes += [f"{self.top}/preload:/etc/ld.so.preload:ro"]
        subprocess.run(["chown", "-R", f"{UID}:{UID}", self.folder, self.top / "state"], check=True)
        options = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none"]
        options += [f"--security-opt=seccomp={resources.tree('containers') / 'seccomp.json'}", f"--user={UID}:{UID}"]
        options += ["--tmpfs=/tmp:exec", f"--tmpfs=/home/agent:uid={UID}", "--pids-limit=4096", "--entrypoint=sleep"]
        words = ["docker", "run", "-d", "--rm", "--init", *options, *(f"-v={each}" for each in volumes)]
        started = subprocess.run([*words, image(), "infinity"], check=True, text=True, capture_output=True)
        self.name = started.stdout.strip()

    def _fill(self) -> None:
        pi = policy.load("pi")
        command = replace(pi.command, exe="/workspace/agent", script="")
        (self.top / "vault.policy").write_text(policy.render_vault(replace(pi, command=command)))
        for path in ("agent/auth.json", "agent/settings.json", "agent/sessions/one.jsonl", "agent/extensions/one.js"):
            file = self.top / "state" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("{}")
        self.top.chmod(0o755)

    def run(self, *argv: str, launch: bool = False, env: dict[str, str] | None = None, timeout: int = 60) -> Done:
        """The program by `docker exec`; with `launch` as the head of the launch chain."""
        settings = [f"--env={name}={value}" for name, value in {"HOME": "/home/agent", **(env or {})}.items()]
        words = [
            "docker",
            "exec",
            *settings,
            "-w=/workspace",
            self.name,
            *(["agentbox-launch"] if launch else []),
            *argv,
        ]
        return subprocess.run(words, text=True, capture_output=True, check=False, timeout=timeout)

    def close(self) -> None:
        subprocess.run(["docker", "rm", "-f", self.name], check=True, capture_output=True)
        shutil.rmtree(self.top)


def image() -> str:
    """The pi image of the user, built where it is missing or old."""
    engine = Engine()
    recipe = images.recipes(policy.load("pi"), identity.current(), engine.facts()).agent
    if images.stale(engine, recipe):
        subprocess.run([sys.executable, "-m", "agentbox", "build", "pi"], check=True, stdout=sys.stderr)
    return recipe.tag
