"""Searches all that a container can see for a text, from the host, as root: nothing inside can hide anything from it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from boxes import Box, finished

PIECE = 1 << 20


def containers(box: Box) -> list[str]:
    """Ids of the box's agents that run now."""
    labels = [f"--filter=label=io.agentbox.{name}" for name in (f"workspace={box.workspace}", "agent")]
    return finished(["docker", "ps", "--quiet", "--no-trunc", *labels]).stdout.split()


def inspected(container: str) -> str:
    """All that the engine tells of a container and its image, the image's history included."""
    text = finished(["docker", "inspect", container]).stdout
    image = json.loads(text)[0]["Image"]
    history = finished(["docker", "history", "--no-trunc", image]).stdout
    return (
        text
        + history
        + finished(["docker", "image", "inspect", image]).stdout
        + finished(["docker", "logs", container]).stdout
    )


def processes(container: str) -> list[int]:
    """The container's processes, by the host's numbers."""
    listed = finished(["docker", "top", container, "-eo", "pid"]).stdout.split()[1:]
    return [int(word) for word in listed]


def places(container: str, secret: str) -> list[str]:
    """Where in a running container `secret` is: files, environments, command lines, memory."""
    wanted = secret.encode()
    pids = processes(container)
    found = [f"file {path}" for path in _files(Path(f"/proc/{pids[0]}/root")) if _in_file(path, wanted)]
    for pid in pids:
        for name in ("environ", "cmdline"):
            if _in_file(Path(f"/proc/{pid}/{name}"), wanted):
                found.append(f"{name} of {pid}")
        if _in_memory(pid, wanted):
            found.append(f"memory of {pid}")
    return found


def _files(root: Path) -> Iterator[Path]:
    """Every regular file, across all mounts but the kernel's own."""
    for folder, folders, names in os.walk(root):
        if Path(folder) == root:
            folders[:] = [name for name in folders if name not in ("proc", "sys", "dev")]
        for name in names:
            path = Path(folder, name)
            try:
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path
            except OSError:
                continue


def _in_file(path: Path, wanted: bytes) -> bool:
    try:
        with path.open("rb") as file:
            before = b""
            while piece := file.read(PIECE):
                if wanted in before + piece:
                    return True
                before = piece[-len(wanted) :]
    except OSError:
        pass
    return False


def _in_memory(pid: int, wanted: bytes) -> bool:
    try:
        with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
                addresses, rights, *_ = line.split()
                start, end = (int(number, 16) for number in addresses.split("-"))
                if "w" in rights and _in_range(memory.fileno(), start, end, wanted):
                    return True
    except OSError:
        pass
    return False


def _in_range(descriptor: int, start: int, end: int, wanted: bytes) -> bool:
    before = b""
    while start < end:
        try:
            piece = os.pread(descriptor, min(PIECE, end - start), start)
        except (OSError, OverflowError):
            return False
        if not piece:
            return False
        if wanted in before + piece:
            return True
        before, start = piece[-len(wanted) :], start + len(piece)
    return False
