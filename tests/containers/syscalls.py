"""Runs in a container: makes system calls by number, and reports each one's errno as JSON (0: it worked).

The arguments are impossible ones (-1), so that a call that is let through does nothing. Each runs in a child, since it
may kill. Numbers come from the image's own headers, whatever its CPU. A call that these do not know is left out.
"""

import ctypes
import fcntl
import json
import os
import platform
import pty
import re
import subprocess
import sys
import termios

TIOCLINUX = 0x541C
# What terminals are asked all the time, TIOCSTI's neighbours among them.
ORDINARY = ("TCGETS", "TIOCGWINSZ", "TIOCSWINSZ", "TIOCGPGRP", "TIOCOUTQ", "TIOCMGET", "FIONREAD", "FIOCLEX", "FIONBIO")
CLONE_NEWUSER = 0x10000000
SIGCHLD = 17
libc = ctypes.CDLL(None, use_errno=True)


def numbers():
    command = ["gcc", "-dM", "-E", "-include", "sys/syscall.h", "-"]
    defines = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", defines.stdout)}


def attempt(number, *arguments):
    """The errno; minus the signal if it killed."""
    child = os.fork()
    if child == 0:
        result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(value) for value in arguments))
        os._exit(ctypes.get_errno() if result == -1 else 0)
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def on_terminal(request, argument):
    """The errno of an ioctl on the terminal that the caller is attached to, as a tool is to the agent's."""
    master, slave = pty.openpty()
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        buffer = ctypes.create_string_buffer(argument, 64)
        result = libc.syscall(ctypes.c_long(known["ioctl"]), ctypes.c_long(slave), ctypes.c_long(request), buffer)
        os._exit(ctypes.get_errno() if result == -1 else 0)
    status = os.waitpid(child, 0)[1]
    os.close(master)
    os.close(slave)
    return os.WEXITSTATUS(status)


known = numbers()
RLIMIT_CORE = 4
no_core = (ctypes.c_ulong * 2)()
report = {name: attempt(known[name], *[-1] * 6) for name in sys.argv[1:] if name in known}
report |= {
    "socket AF_INET": attempt(known["socket"], 2, 1, 0),
    "socket AF_ALG": attempt(known["socket"], 38, 5, 0),
    "socket AF_VSOCK": attempt(known["socket"], 40, 1, 0),
    "personality query": attempt(known["personality"], 0xFFFFFFFF),
    "personality ADDR_NO_RANDOMIZE": attempt(known["personality"], 0x40000),
    "clone": attempt(known["clone"], SIGCHLD, 0, 0, 0, 0),
    "clone CLONE_NEWUSER": attempt(known["clone"], CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0),
    "prlimit64 of another": attempt(known["prlimit64"], os.getpid(), RLIMIT_CORE, ctypes.addressof(no_core), 0),
    "prlimit64 of another, a question": attempt(
        known["prlimit64"], os.getpid(), RLIMIT_CORE, 0, ctypes.addressof(no_core)
    ),
    "prlimit64 of its own": attempt(known["prlimit64"], 0, RLIMIT_CORE, ctypes.addressof(no_core), 0),
    "ioctl TIOCSTI": on_terminal(termios.TIOCSTI, b"x"),
    "ioctl TIOCSTI with upper bits": on_terminal(0xDEADBEEF << 32 | termios.TIOCSTI, b"x"),
    "ioctl TIOCLINUX": on_terminal(TIOCLINUX, b"\x06"),
    "ioctl TIOCNXCL": on_terminal(termios.TIOCNXCL, b""),
    "landlock_create_ruleset": attempt(known["landlock_create_ruleset"], 0, 0, 1),
    **{f"ioctl {name}": on_terminal(getattr(termios, name), b"") for name in ORDINARY},
    "x32 getpid": attempt(0x40000000 | known["getpid"]) if platform.machine() == "x86_64" else -31,
}
json.dump(report, sys.stdout)
