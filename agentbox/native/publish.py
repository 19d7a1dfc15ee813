"""Ports on this machine's loopback that lead into a sandbox: for answers to a login, and for a dashboard."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess

from agentbox.errors import EngineError
from agentbox.native.broker import as_user
from agentbox.request import Request
from agentbox.resources import lib

PIDFD_GETFD = 438


class Published:
    """The ports of one session, from before its start to its end. Where the sandbox has a network of its own, a process
    for each passes on what comes; else (`alone`, or with the open network) the agent itself listens on them."""

    def __init__(self, request: Request, *, alone: bool) -> None:
        self.identity = request.identity
        self.alone = alone
        self.apart = not alone and request.policy.network.mode != "open"
        self.wanted = request.policy.published(request.ports)
        self.listeners: list[socket.socket] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Published:
        """Raises EngineError for a port that cannot be had."""
        if self.wanted and self.alone and _refused():
            cause = "cannot be had: pidfd_getfd is refused here, by a container's filter perhaps, and so is bubblewrap"
            raise EngineError(f"127.0.0.1:{self.wanted[0].host}", cause, "leave --login and --dashboard out")
        try:
            for port in self.wanted:
                if not self.apart and port.host != port.container:
                    cause = f"cannot be {port.host} outside and {port.container} inside: there is one loopback for both"
                    raise EngineError(f"port {port.name}", cause, "give both the same number")
                self.listeners.append(_listener(port.host))
        except EngineError:
            self._close()
            raise
        if not self.apart:
            self._close()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
            process.wait()
        self._close()

    def lead_to(self, agent: int) -> None:
        """Pass on what comes, to the network that the process of this pidfd has."""
        for listener, port in zip(self.listeners, self.wanted, strict=False):
            handed = [listener.fileno(), agent]
            words = [
                str(lib("agentbox-enter")),
                "--publish",
                *map(str, (handed[0], port.container, agent, os.getpid())),
            ]
            process = subprocess.Popen(
                words, env={}, cwd="/", pass_fds=handed, process_group=0, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, **as_user(self.identity),
            )  # fmt: skip
            self.processes.append(process)
        self._close()

    def _close(self) -> None:
        while self.listeners:
            self.listeners.pop().close()


def _refused() -> bool:
    """Whether the supervisor could not take an agent's socket (csrc/connect.c) to listen on it."""
    own = os.pidfd_open(os.getpid())
    libc = ctypes.CDLL(None, use_errno=True)
    taken = libc.syscall(PIDFD_GETFD, own, own, 0)
    error = ctypes.get_errno()
    for fd in (own, taken):
        if fd >= 0:
            os.close(fd)
    return bool(taken < 0 and error == errno.EPERM)


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        hint = "end what listens there: another login, or another agent"
        raise EngineError(f"127.0.0.1:{port}", f"cannot be had: {error.strerror}", hint) from None
