"""What a tool can do to other programs of the same user without a file or a signal: nothing. Each control runs outside."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from native_box import UID, NativeBox, as_user, own_python

pytestmark = [pytest.mark.npm, pytest.mark.slow]

# A program with a Unix socket by path, a segment of shared memory, a message queue and a semaphore, which says its pid.
NEIGHBOUR = """
import ctypes, os, socket, sys
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
made = [libc.shmget(0, 4096, 0o600), libc.msgget(0, 0o600), libc.semget(0, 1, 0o600)]
ctypes.memmove(libc.shmat(made[0], None, 0), b"SECRET", 7)
libc.msgsnd(made[1], ctypes.create_string_buffer(b"\\x01" + bytes(7) + b"SECRET", 32), 16, 0)
print(os.getpid(), *made, flush=True)
sys.stdin.read()
libc.shmctl(made[0], 0, None), libc.msgctl(made[1], 0, None), libc.semctl(made[2], 0, 0)
"""
WAYS = {
    "a datagram to its socket": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', path)",
    "its shared memory": "assert ctypes.string_at(checked(libc.shmat(shared, None, 0))) == b'SECRET'",
    "its message queue": "checked(libc.msgrcv(queue, ctypes.create_string_buffer(32), 16, 0, 0o4000))",
    "its semaphore": "checked(libc.semctl(semaphore, 0, 16, 1))",
    "its limits": "resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))",
}
ATTACK = """
import ctypes, os, resource, socket, sys
path, pid, shared, queue, semaphore = sys.argv[1], *map(int, sys.argv[2:])
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_ssize_t
def checked(result):
    if result == -1: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
try:
    WAY
    print("reached")
except OSError as error:
    print(error.strerror)
"""


@pytest.fixture
def neighbour(box: NativeBox) -> Iterator[list[str]]:
    """What an attack needs to know of the program."""
    words = [*own_python(), "-c", NEIGHBOUR, str(box.home / "socket")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, text=True, user=UID, group=UID, extra_groups=[], **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout is not None
        yield [str(box.home / "socket"), *process.stdout.readline().split()]
        process.communicate("")


@pytest.mark.parametrize("network", ["none", "open"])
@pytest.mark.parametrize("way", WAYS)
def test_another_program_of_the_users_is_out_of_reach(
    box: NativeBox, neighbour: list[str], way: str, network: str
) -> None:
    (box.workspace / "attack.py").write_text(ATTACK.replace("WAY", WAYS[way]))

    done = box.shell(f"python3 attack.py {' '.join(neighbour)}", "--network", network)
    outside = as_user([*own_python(), box.workspace / "attack.py", *neighbour])

    assert done.stdout.strip() not in ("", "reached"), done.stderr
    assert outside.stdout == "reached\n", outside.stderr


CHANGES = {
    "mode": "os.chmod(path, 0o644)",
    "times": "os.utime(path, (1, 1))",
    "extended attributes": "os.setxattr(path, 'user.agentbox', b'x')",
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_the_home_says_about_a_file_stays(box: NativeBox, request: pytest.FixtureRequest, what: str) -> None:
    if not box.bubblewrap:
        reason = "Landlock knows no right for modes, times and attributes, and alone it hides no path"
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
    key = box.put(".ssh/id_ed25519", "key")
    script = f"import os, sys\npath = sys.argv[1]\n{CHANGES[what]}\n"
    (box.workspace / "change.py").write_text(script)
    before = _about(key)

    box.shell(f"python3 change.py {key}")
    inside = _about(key)
    as_user([*own_python(), box.workspace / "change.py", key])

    assert _about(key) != before, "the control"
    assert inside == before


def _about(path: Path) -> tuple[int, float, list[str]]:
    info = path.stat()
    return info.st_mode, info.st_mtime, os.listxattr(path)
