"""Reading files of JSON lines that others append to, rotate, truncate or, in a container, fill with what they like."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

LONGEST = 64 << 10  # bytes of a line; fs-vault's have at most 8 KiB, agentbox's own hold paths
MOST = 8 << 20  # bytes of one file: the broker begins a new one at 4 MiB
CHUNK = 64 << 10

Record = dict[str, Any]


class Lines:
    """One file, read from where the last reading ended. Lines with `skip` in them are passed over; those of less than
    `shortest` bytes, and all that are no record, are counted as `odd`. `beyond`: there is more than `most` bytes."""

    def __init__(self, path: Path, skip: bytes | None = None, most: int = MOST, shortest: int = 0) -> None:
        self.path = path
        self.skip = skip
        self.most = most
        self.shortest = shortest
        self.odd = 0
        self.beyond = False
        self._inode = 0
        self._offset = 0
        self._rest = b""
        self._skipping = False

    def read(self) -> Iterator[Record]:
        """The records that have come since. Where the file was renamed to .1 and begun anew, its end comes first."""
        try:
            info = self.path.lstat()
            if (info.st_ino, info.st_size) == (self._inode, self._offset):
                return
        except OSError:
            pass
        older = self.path.with_name(f"{self.path.name}.1")
        with suppress(OSError):
            if self._inode in (0, older.lstat().st_ino):
                yield from self._read(older)
        yield from self._read(self.path)

    def _read(self, path: Path) -> Iterator[Record]:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            os.close(fd)
            return
        with os.fdopen(fd, "rb", buffering=0) as file:
            if info.st_ino != self._inode or info.st_size < self._offset:
                self._inode, self._offset, self._rest, self._skipping = info.st_ino, 0, b"", False
            file.seek(self._offset)
            while self._offset < self.most and (chunk := file.read(CHUNK)):
                self._offset += len(chunk)
                yield from self._split(chunk)
            self.beyond = self.beyond or info.st_size > self._offset

    def _split(self, chunk: bytes) -> Iterator[Record]:
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for raw in whole:
            if self._skipping:  # the end of a line that was counted when it grew too long
                self._skipping = False
            elif self.skip is not None and self.skip in raw:
                continue
            elif len(raw) >= self.shortest and (found := _parse(raw)) is not None:
                yield found
            elif raw:
                self.odd += 1
        if len(self._rest) > LONGEST:
            self.odd += not self._skipping
            self._rest, self._skipping = b"", True


def _parse(raw: bytes) -> Record | None:
    if len(raw) > LONGEST:
        return None
    try:
        found = json.loads(raw.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def text(record: Record, key: str, most: int = 1024) -> str:
    """A value that is a string, cut to `most`; an empty one for any other."""
    value = record.get(key)
    return value[:most] if isinstance(value, str) else ""


def flat(record: Record, keys: tuple[str, ...]) -> Record:
    """What of the record is a text, cut, or a number that JSON has, under one of `keys`: all that is worth keeping of a
    record whose writer is not known."""
    found: Record = {}
    for key in keys:
        value = record.get(key)
        if isinstance(value, str):
            found[key] = value[:1024]
        elif isinstance(value, int | float) and abs(value) < 1 << 53:  # neither of which NaN is
            found[key] = value
    return found


def texts(record: Record, key: str) -> list[str]:
    value = record.get(key)
    return [item[:4096] for item in value if isinstance(item, str)] if isinstance(value, list) else []


def whole(record: Record, key: str) -> int | None:
    value = record.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32 else None


def moment(record: Record, key: str = "time") -> float | None:
    """Seconds since 1970, from a number or from a time as the broker writes it; None for what is neither."""
    from datetime import datetime

    value = record.get(key)
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value[:40]).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 40:
            return float(value)
    except (ValueError, OverflowError, OSError):
        return None
    return None
