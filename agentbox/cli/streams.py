"""Standard input, output and error: closed from the start, unread, or on a full disk; and errors of other files."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterator

from agentbox.errors import AgentboxError

# Of a disk, not of agentbox: whoever sees one of these needs no traceback.
OF_A_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def open_closed() -> None:
    """Put /dev/null where one is closed: the next file that is opened would be taken for it."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def write_out_unencodable() -> None:
    """As standard error does by itself: a letter that Latin-1, say, does not have is no reason to end."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def unread() -> bool:
    """Whether who read our output is gone, as in `agentbox verify --list | head -1`."""
    output = select.poll()
    output.register(1, 0)
    return any(event & select.POLLERR for _, event in output.poll(0))


def drop(fd: int) -> None:
    """Let what is still to be written to `fd` go nowhere, or the interpreter would fail on it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), fd)


def of_a_file(error: OSError) -> AgentboxError | None:
    """What a person reads of a disk that is full, read-only or broken, and of a file that is named; None where `error`
    is something else."""
    named = error.filename2 or error.filename
    if error.errno not in OF_A_DISK:
        known = isinstance(named, (str, bytes, os.PathLike))
        return AgentboxError(os.fsdecode(named), error.strerror or str(error)) if known else None
    name = str(named or "writing")
    try:
        sys.stdout.flush()
    except OSError:  # so it was this; a failed write names no file
        name = "standard output"
        drop(1)
    hint = "df shows which filesystem has no room left" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return AgentboxError(name, os.strerror(error.errno), hint)


@contextlib.contextmanager
def last_words() -> Iterator[None]:
    """For what is said before the end: where standard error takes nothing, the exit code stays."""
    try:
        yield
        sys.stderr.flush()
    except OSError:
        drop(2)
