"""A world for vault tests: a private mount namespace with a policy, a vault and (or not) the preload.

It stands in for a container: /etc is an overlay with agentbox/vault.policy and ld.so.preload, the vault is /mnt with a
root-owned top and the agent's state on a mount of its own. Programs enter it as an unprivileged user.
"""

from __future__ import annotations

import ctypes
import functools
import os
import pickle
import shutil
import signal
import socket
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agentbox import resources

UID = 10_001
VAULT = Path("/mnt")
STATE = VAULT / "agent"
SECRET = "sk-the-secret-of-the-agent"
AUTH = STATE / "auth.json"
SETTINGS = STATE / "settings.json"

CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG = 38, 1

_libc = ctypes.CDLL(None, use_errno=True)
_kept = tempfile.TemporaryDirectory(prefix="agentbox-enter-")


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def _mount(source: str, target: str | Path, kind: str, data: str = "") -> None:
    _check(_libc.mount(source.encode(), os.fsencode(target), kind.encode(), 0, data.encode()), f"mount {target}")


def bind(source: str | Path, target: str | Path) -> None:
    """Show a directory at a second place."""
    _check(_libc.mount(os.fsencode(source), os.fsencode(target), None, MS_BIND, None), f"bind {source}")


def mount_tmpfs(target: str | Path) -> None:
    """An empty tmpfs over `target`."""
    _mount("tmpfs", target, "tmpfs")


def unusable() -> str | None:
    """Why vault tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "needs root to make a mount namespace"
    if resources.lib("fs-vault.so") is None or resources.lib("agentbox-launch") is None:
        return "the native parts are not built"
    if _libc.syscall(444, 0, 0, 1) < 1:
        return "the running kernel has no Landlock"
    return None


def policy(exe: str | Path, *, script: str | Path | None = None, extra: Sequence[str] = ()) -> str:
    """A policy as the product renders it, for an agent stand-in."""
    lines = ["agentbox-vault 1", "# made for a test", f"exe {exe}"]
    lines += [f"script {script}"] if script else []
    lines += ["link /usr/bin/dash", "link /usr/bin/env", f"vault {VAULT}", "deny auth.json", f"deny {AUTH}"]
    lines += [
        f"deny {STATE}/.env",
        f"deny {STATE}/private",
        f"read {SETTINGS}",
        f"read {STATE}/extensions",
        f"write {STATE}/extensions/cache",
    ]
    lines += ["hide ANTHROPIC_API_KEY", "hide SECRET_*", "keep SECRET_KEPT", f"audit {VAULT}/log/denials.jsonl"]
    return "\n".join([*lines, *extra, "end", ""])


@functools.cache
def _enter() -> Path:
    """enter.c, compiled: what World.run starts programs with."""
    target = Path(_kept.name, "enter")
    flags = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-static")
    subprocess.run(["cc", *flags, Path(__file__).with_name("enter.c"), "-o", target], check=True)
    return target


def _fill() -> None:
    for directory in (STATE / "extensions/cache", STATE / "sessions", STATE / "private", VAULT / "log"):
        directory.mkdir(parents=True, exist_ok=True)
    AUTH.write_text(SECRET)
    (STATE / "private/key").write_text(SECRET)
    SETTINGS.write_text('{"theme": "dark"}')
    (STATE / "extensions/one.js").write_text("// an extension\n")
    (STATE / "sessions/one.jsonl").write_text("a session\n")
    (STATE / "history").write_text("allowed content\n")
    for path in [STATE, VAULT / "log", *STATE.rglob("*")]:
        os.chown(path, UID, UID)
    AUTH.chmod(0o600)


def _fill_again() -> None:
    for path in STATE.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    _fill()


def _texts(paths: Sequence[Path]) -> list[str | None]:
    return [path.read_text() if path.is_file() else None for path in paths]


class World:
    """One namespace. ``preload=False`` is the control: the same files, no vault."""

    def __init__(self, text: str | None, *, preload: bool = True) -> None:
        self.preloads = preload
        self.work = Path(tempfile.mkdtemp(prefix="agentbox-world-"))
        self.work.chmod(0o755)
        os.chown(self.work, UID, UID)
        self._socket, holder = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            self._hold(text, preload, holder)
        holder.close()
        self._answer()
        self._namespace = os.open(f"/proc/{self._pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

    def _hold(self, text: str | None, preload: bool, told: socket.socket) -> None:
        """Make the namespace and do in it what `_ask` asks for: a fork of pytest for each would take far longer."""
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        self._socket.close()
        action: Callable[..., object] = self._build
        arguments: Sequence[object] = (text, preload)
        try:
            with told.makefile("rwb") as asked:
                while True:
                    try:
                        answer = action(*arguments), ""
                    except Exception:
                        answer = None, traceback.format_exc()
                    pickle.dump(answer, asked)
                    asked.flush()
                    action, *arguments = pickle.load(asked)
        finally:
            os._exit(0)

    def _ask(self, action: Callable[..., object], *arguments: object) -> Any:
        """What a function of this module gives in this world as root, outside the vault's reach."""
        self._socket.sendall(pickle.dumps((action, *arguments)))
        return self._answer()

    def _answer(self) -> Any:
        with self._socket.makefile("rb") as file:
            found, error = pickle.load(file)
        if error:
            raise RuntimeError(f"in the test world: {error}")
        return found

    def _build(self, text: str | None, preload: bool) -> None:
        _check(_libc.unshare(CLONE_NEWNS), "unshare")
        _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "make / private")
        _mount("tmpfs", VAULT, "tmpfs", "mode=0755")
        etc = VAULT / "etc"
        for name in ("up", "work"):
            (etc / name).mkdir(parents=True)
        _mount("overlay", "/etc", "overlay", f"lowerdir=/etc,upperdir={etc}/up,workdir={etc}/work")
        _mount("tmpfs", VAULT, "tmpfs", "mode=0755")  # hides the overlay's directories
        Path("/etc/agentbox").mkdir(exist_ok=True)
        Path("/etc/agentbox/probe").symlink_to(VAULT / ".probe")
        if text is not None:
            Path("/etc/agentbox/vault.policy").write_text(text)
        self._prepare_vault()
        if preload:
            library = Path("/etc/agentbox/fs-vault.so")
            source = resources.lib("fs-vault.so")
            assert source is not None
            shutil.copy(source, library)
            Path("/etc/ld.so.preload").write_text(f"{library}\n")

    def inside(self, action: Callable[[], object]) -> None:
        """Do something in this world as root, outside the vault's reach."""
        child = os.fork()
        if child == 0:
            try:
                self._become(0)
                action()
                os._exit(0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        if os.waitpid(child, 0)[1] != 0:
            raise RuntimeError("cannot change the test world")

    def set_policy(self, text: str) -> None:
        """Replace the policy file."""
        self._ask(Path.write_text, Path("/etc/agentbox/vault.policy"), text)

    def reset(self) -> None:
        """Give the agent's state its first contents again."""
        self._ask(_fill_again)

    def read(self, path: Path) -> str | None:
        """The content of a file in this world, None if there is none."""
        return self.read_all([path])[0]

    def read_all(self, paths: Sequence[Path]) -> list[str | None]:
        """The contents of several, all at once."""
        return self._ask(_texts, paths)

    def _prepare_vault(self) -> None:
        (VAULT / ".probe").write_text("")
        STATE.mkdir()
        _mount("tmpfs", STATE, "tmpfs", f"mode=0755,uid={UID},gid={UID}")
        (VAULT / "log").mkdir()
        _fill()

    def _become(self, uid: int) -> None:
        """What enter.c does, for a process that has forked."""
        _check(_libc.setns(self._namespace, CLONE_NEWNS), "setns")
        os.chdir(self.work)
        if uid:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")

    def run(
        self,
        *argv: str | Path,
        launch: bool = False,
        env: dict[str, str] | None = None,
        uid: int = UID,
        landlock: bool = True,
        then: Callable[[], None] | None = None,
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in this world; with ``launch`` as the head of the launch chain. ``then`` is called before it."""
        words = [str(word) for word in argv]
        if launch:
            words.insert(0, str(self.launcher))
        if then:
            assert landlock, "enter.c alone can do without"
            options["preexec_fn"] = lambda: (self._become(uid), then())
        else:
            words = [str(_enter()), str(self._namespace), str(self.work), str(uid), str(int(landlock)), *words]
            options["pass_fds"] = [self._namespace]
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.work), "LANG": "C.UTF-8", **(env or {})}
        options = {"timeout": 60, "text": True, "errors": "backslashreplace", "stdin": subprocess.DEVNULL, **options}
        return subprocess.run(words, env=environment, capture_output=True, check=False, **options)

    @property
    def launcher(self) -> Path:
        """agentbox-launch, where the world's user can execute it."""
        target = self.work / "agentbox-launch"
        if not target.exists():
            source = resources.lib("agentbox-launch")
            assert source is not None
            shutil.copy(source, target)
        return target

    def close(self) -> None:
        """End the namespace and remove its files."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._namespace)
        self._socket.close()
        shutil.rmtree(self.work, ignore_errors=True)


def make_world(programs: Path, text: str, *, preload: bool) -> World:
    """A world whose work folder holds the programs and the launcher."""
    world = World(text, preload=preload)
    for path in programs.iterdir():
        shutil.copy(path, world.work)
    assert world.launcher.exists()
    return world
