"""The agents' state and agentbox's own on the host: there, whose, and for whom."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from agentbox.compose import tag
from agentbox.doctor.credentials import protected
from agentbox.doctor.finding import ERROR, OK, WARNING, Finding, World, quoted
from agentbox.errors import AgentboxError
from agentbox.identity import Identity
from agentbox.policy_load import read
from agentbox.policy_model import Policy
from agentbox.state import change_mode, make_dir

OTHERS = stat.S_IRWXG | stat.S_IRWXO
ENTRIES = 3000  # of an agent's state to look through for files of others


def check(world: World) -> Iterator[Finding]:
    if world.identity is None:
        return
    who = world.identity
    for policy in world.policies:
        found = [finding for each in policy.state for finding in _directory(policy.agent, who.home / each.host, who)]
        if any(each.repair for each in found) and not _used(policy.agent, world, who):
            # It gets no directories; what is wrong with those that it has is mended all the same.
            found = [replace(each, repair=None) if each.id.endswith(".missing") else each for each in found]
        found += [finding for path in protected(policy, who) for finding in _protected(policy.agent, path, who)]
        yield from found or [Finding(f"state.{policy.agent}", OK, f"{policy.agent}: {_shown(policy)} in order")]
    yield from _directory("own", who.own_state, who)


def _shown(policy: Policy) -> str:
    return ", ".join(f"~/{each.host}" for each in policy.state)


def _directory(name: str, path: Path, who: Identity) -> Iterator[Finding]:
    try:
        info = path.stat()
    except FileNotFoundError:
        yield from _missing(name, path, who)
        return
    except OSError as error:
        what = f"{path}: {error.strerror}"
        why = "the agent has no place for its state"
        yield Finding(f"state.{name}", ERROR, what, why, f"ls -ld {quoted(path)} {quoted(path.parent)}")
        return
    if not stat.S_ISDIR(info.st_mode):
        why = "the agent's state lives in a directory of that name"
        yield Finding(
            f"state.{name}", ERROR, f"{path} is not a directory", why, f"mv {quoted(path)} {quoted(path)}.old"
        )
    elif info.st_uid != who.uid:
        yield _foreign(name, path, info.st_uid, who)
    elif info.st_mode & OTHERS:
        yield Finding(
            f"state.{name}.mode",
            WARNING,
            f"{path} is open to others (mode {info.st_mode & 0o777:04o})",
            "other users of this machine can look at sessions and settings",
            f"chmod 700 {quoted(path)}",
            partial(_close, path.resolve(), who),
        )
    elif info.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        yield Finding(
            f"state.{name}.mode",
            ERROR,
            f"{path} may not be used by its owner (mode {info.st_mode & 0o777:04o})",
            "the agent fails",
            f"chmod 700 {quoted(path)}",
            partial(_close, path.resolve(), who),
        )
    else:
        yield from _inside(name, path, who)


def _used(agent: str, world: World, who: Identity) -> bool:
    """Whether the user has to do with the agent: an image, an installation, or a word in the configuration."""
    with contextlib.suppress(AgentboxError):
        if world.engine is not None and world.engine.image_labels(tag(who, agent)) is not None:
            return True
    if (who.own_cache / agent).is_dir():
        return True
    with contextlib.suppress(AgentboxError):
        source = read(who.config_file)
        return source is not None and agent in source.tables.get("agents", ())
    return False


def _missing(name: str, path: Path, who: Identity) -> Iterator[Finding]:
    if path.is_symlink():
        why = "the agent's state cannot be made there"
        yield Finding(
            f"state.{name}", ERROR, f"{path} is a symlink to nothing", why, f"make its target, or rm {quoted(path)}"
        )
        return
    above = next(each for each in path.parents if each.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        what, why = f"{path} cannot be made: {above} cannot be written", "no agent has a place for its state"
        yield Finding(f"state.{name}", ERROR, what, why, f"ls -ld {quoted(above)}; HOME says where your home is")
        return
    yield Finding(
        f"state.{name}.missing",
        OK,
        f"{path} is made at the first run",
        repair=partial(_make, path, who),
    )


def _inside(name: str, path: Path, who: Identity) -> Iterator[Finding]:
    """Files of others, as a run as root leaves them."""
    seen = 0
    for folder, folders, files in os.walk(path):
        for each in (*folders, *files):
            seen += 1
            if seen > ENTRIES:
                return
            try:
                uid = Path(folder, each).lstat().st_uid
            except OSError:
                continue
            if uid != who.uid:
                yield _foreign(name, Path(folder, each), uid, who, path)
                return


def _foreign(name: str, path: Path, uid: int, who: Identity, root: Path | None = None) -> Finding:
    return Finding(
        f"state.{name}.owner",
        ERROR,
        f"{path} belongs to UID {uid}, and the agent runs as UID {who.uid}",
        "the agent cannot write it",
        f"sudo chown -R {who.uid}:{who.gid} {quoted(root or path)}",
    )


def _protected(name: str, path: Path, who: Identity) -> Iterator[Finding]:
    try:
        info = path.lstat()
    except OSError:
        return
    if stat.S_ISLNK(info.st_mode):
        yield Finding(
            f"state.{name}.link",
            ERROR,
            f"{path} is a symlink",
            "its target is not protected: the container refuses to start",
            f"see where it leads: ls -l {quoted(path)}; then put the file itself in its place",
        )
    elif stat.S_ISREG(info.st_mode) and info.st_nlink > 1:
        yield Finding(
            f"state.{name}.link",
            ERROR,
            f"{path} has a second name (a hard link)",
            "tools could reach it by that: the container refuses to start",
            f"cp -p {quoted(path)} {quoted(path)}.new && mv {quoted(path)}.new {quoted(path)}",
        )
    elif stat.S_ISREG(info.st_mode) and info.st_mode & OTHERS and info.st_uid == who.uid:
        yield Finding(
            f"state.{name}.credential",
            WARNING,
            f"{path} is open to others (mode {info.st_mode & 0o777:04o})",
            "other users of this machine can read the credential",
            f"chmod 600 {quoted(path)}",
            partial(_close, path, who),
        )


def _close(path: Path, who: Identity) -> str:
    folder = path.is_dir()
    changed = change_mode(path, who, add=stat.S_IRWXU if folder else 0, take=OTHERS)
    return f"chmod {'700' if folder else '600'} {path}" if changed else ""


def _make(path: Path, who: Identity) -> str:
    try:
        make_dir(path, who)
    except AgentboxError:
        return ""
    return f"mkdir -p -m 700 {path}"
