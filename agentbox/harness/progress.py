"""Downloads as lines for a person: one at once, then one every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

MEGABYTE = 1_000_000
SECONDS = 2.0


class Seldom:
    """Hands on a line now and then, and drops the others. Safe to use from several threads."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report, self._last, self._lock = report, time.monotonic(), threading.Lock()

    def __call__(self, line: str | Callable[[], str]) -> None:
        with self._lock:
            if time.monotonic() - self._last >= SECONDS:
                self._last = time.monotonic()
                self._report(line if isinstance(line, str) else line())


class Bytes:
    """Adds up several downloads under one title."""

    def __init__(self, title: str, report: Callable[[str], None]) -> None:
        self._title, self._tell = title, Seldom(report)
        self._done: dict[Hashable, tuple[int, int]] = {}
        report(title)

    def of(self, key: Hashable) -> Callable[[int, int], None]:
        """For one download: takes the bytes that are there, and those that there will be (0: unknown)."""

        def tell(done: int, whole: int) -> None:
            self._done[key] = (done, whole)
            self._tell(lambda: f"{self._title}, {self._sum()}")

        return tell

    def _sum(self) -> str:
        done, whole = (sum(column) / MEGABYTE for column in zip(*list(self._done.values()), strict=True))
        return f"{done:.0f} of {whole:.0f} MB" if whole > done else f"{done:.0f} MB"
