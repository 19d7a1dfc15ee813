"""Who the container runs as, and whose home its state lives in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from agentbox.errors import UsageError

ROOT_HINT = "set HOST_UID and HOST_GID to the user that the agent shall run as, or call agentbox without sudo -i"


class Identity(NamedTuple):
    """The user of the host that the container stands for. `tag` is `name` as an image's name may hold it."""

    uid: int
    gid: int
    name: str
    home: Path

    @property
    def tag(self) -> str:
        name = re.sub(r"[._-]{2,}", "-", re.sub(r"[^a-z0-9._-]", "-", self.name.lower()))
        return name.strip("._-") or f"uid{self.uid}"

    @property
    def config_file(self) -> Path:
        """The user's configuration, whether it exists or not."""
        return self._base("XDG_CONFIG_HOME", ".config") / "agentbox" / "config.toml"

    @property
    def own_state(self) -> Path:
        """agentbox's own state: logs, remembered versions, run directories."""
        return self._base("XDG_STATE_HOME", ".local/state") / "agentbox"

    @property
    def own_cache(self) -> Path:
        """What agentbox can fetch again: the agents of the native engine."""
        return self._base("XDG_CACHE_HOME", ".cache") / "agentbox"

    @property
    def secrets(self) -> Path:
        """Where secrets lie while a container runs: in memory, where the host has such a place."""
        runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{self.uid}")
        for folder, name in ((runtime, "agentbox"), (Path("/dev/shm"), f"agentbox-{self.uid}")):
            if folder.is_dir() and (folder.stat().st_uid == self.uid or folder == Path("/dev/shm")):
                return folder / name
        return self.own_state / "secrets"

    def _base(self, variable: str, default: str) -> Path:
        value = os.environ.get(variable, "")
        # Under sudo the variable, if it came through at all, may be root's.
        return Path(value) if value.startswith("/") and "SUDO_UID" not in os.environ else self.home / default


def current(environ: Mapping[str, str] | None = None, euid: int | None = None) -> Identity:
    """The identity in effect: HOST_UID, HOST_GID and REAL_USER, else sudo's caller, else the process's own user.

    Raises UsageError where that would be root, or where a number is none.
    """
    env = os.environ if environ is None else environ
    own = os.geteuid() if euid is None else euid
    sudo = own == 0 and "SUDO_UID" in env and env["SUDO_UID"] != "0"
    uid = _number(env, "HOST_UID") or (_number(env, "SUDO_UID") if sudo else own)
    if not uid:
        raise UsageError("UID 0", "an agent never runs as root", ROOT_HINT)
    gid = _number(env, "HOST_GID")
    if gid is None:
        gid = _number(env, "SUDO_GID") if sudo else (os.getgid() if own else uid)
    if not gid:
        raise UsageError("GID 0", "an agent never runs in root's group", ROOT_HINT)
    name = env.get("REAL_USER") or (env.get("SUDO_USER", "") if sudo else "") or _name_of(uid)
    return Identity(uid, gid, name, _home(env, _number(env, "SUDO_UID") if sudo else None))


def _number(env: Mapping[str, str], name: str) -> int | None:
    text = env.get(name, "")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) >= 2**32 - 1:
        raise UsageError(name, f"{text!r} is not a user or group number")
    return int(text)


def _name_of(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid{uid}"


def _home(env: Mapping[str, str], sudo_uid: int | None) -> Path:
    """The real user's home: under sudo the caller's, whatever HOME says."""
    import pwd

    try:
        home = pwd.getpwuid(sudo_uid).pw_dir if sudo_uid is not None else env.get("HOME", "")
        home = home or pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        home = env.get("HOME", "")
    if not home.startswith("/"):
        raise UsageError("HOME", "is not set to an absolute path", "set HOME to your home directory")
    return Path(os.path.normpath(home))
