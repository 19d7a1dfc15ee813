"""Copies what is shown read-only, through no symlink: the source is a folder that some container may be changing."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack
from pathlib import Path

from agentbox.errors import UsageError
from agentbox.gitplan import Cover

ENTRIES, BYTES = 512, 16 << 20
HINT = 'look into it; [workspace] hooks = "write" in ~/.config/agentbox/config.toml leaves hooks as they are'
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _TooLargeError(Exception):
    """More than is copied."""


def copy(cover: Cover, target: Path) -> bool:
    """Copy a file or folder with its links and execute bits; False where it is gone, or something else by now.

    Raises UsageError for what cannot be read, or is more than anybody's hooks are.
    """
    with ExitStack() as opened:
        try:
            fd = _open_below(cover, opened)
            info = os.fstat(fd)
            if stat.S_ISREG(info.st_mode):
                _copy_file(fd, info, target, [BYTES])
            elif stat.S_ISDIR(info.st_mode):
                _copy_folder(fd, target)
            else:
                return False
        except OSError as error:
            if error.errno in GONE:
                return False
            raise UsageError(str(cover.host), f"cannot be shown read-only: {error.strerror}", HINT) from None
        except _TooLargeError:
            cause = f"cannot be shown read-only: more than {ENTRIES} files or {BYTES >> 20} MiB"
            raise UsageError(str(cover.host), cause, HINT) from None
    return True


def _open_below(cover: Cover, opened: ExitStack) -> int:
    fd = os.open(cover.root, FLAGS | os.O_DIRECTORY)
    opened.callback(os.close, fd)
    for part in Path(cover.name).parts:
        fd = os.open(part, FLAGS, dir_fd=fd)
        opened.callback(os.close, fd)
    return fd


def _copy_folder(fd: int, target: Path) -> None:
    entries, left = ENTRIES, [BYTES]
    for folder, folders, files, here in os.fwalk(".", dir_fd=fd, follow_symlinks=False):
        place = target / folder
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
        entries -= len(folders) + len(files)
        if entries < 0:
            raise _TooLargeError
        for name in (*folders, *files):
            info = os.stat(name, dir_fd=here, follow_symlinks=False)
            if stat.S_ISLNK(info.st_mode):
                (place / name).symlink_to(os.readlink(name, dir_fd=here))
            elif stat.S_ISREG(info.st_mode):
                with ExitStack() as opened:
                    file = os.open(name, FLAGS, dir_fd=here)
                    opened.callback(os.close, file)
                    _copy_file(file, os.fstat(file), place / name, left)


def _copy_file(fd: int, info: os.stat_result, target: Path, left: list[int]) -> None:
    left[0] -= info.st_size
    if left[0] < 0 or not stat.S_ISREG(info.st_mode):
        raise _TooLargeError
    with os.fdopen(os.dup(fd), "rb") as source:
        target.write_bytes(source.read(info.st_size))
    target.chmod(0o755 if info.st_mode & 0o111 else 0o644)
