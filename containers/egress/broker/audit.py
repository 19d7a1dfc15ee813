"""The audit log: one JSON line a decision, written by a thread of its own. A slow or full disk delays no request."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from pathlib import Path
from typing import Any

LARGEST = 4 << 20
WAITING = 10_000


class Audit:
    """Appends to audit.jsonl; at LARGEST bytes it becomes audit.jsonl.1."""

    def __init__(self, folder: Path, **always: Any) -> None:
        self.path = folder / "audit.jsonl"
        self.always = always
        self.dropped = 0
        # The one without a lock in Python: its other thread would be woken, and waited for, in the middle of a put.
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="audit", daemon=True)
        self._thread.start()

    def record(self, verdict: str, **fields: Any) -> None:
        """Queue one line. Where too many wait already it is counted instead."""
        if self._queue.qsize() >= WAITING:
            self.dropped += 1
        else:
            self._queue.put({"time": _now(), **self.always, "verdict": verdict, **fields})

    def close(self) -> None:
        """Write what waits."""
        self._queue.put(None)
        self._thread.join(timeout=2)

    def _write_all(self) -> None:
        while (first := self._queue.get()) is not None:
            batch: list[dict[str, Any] | None] = [first]
            while not self._queue.empty() and len(batch) < 500:
                batch.append(self._queue.get_nowait())
            if self.dropped:
                batch.append({"time": _now(), **self.always, "verdict": "dropped", "count": self.dropped})
                self.dropped = 0
            text = "".join(json.dumps(line) + "\n" for line in batch if line is not None)
            try:
                self._append(text)
            except OSError:
                self.dropped += len(batch)
            if batch[-1] is None:
                return

    def _append(self, text: str) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, text.encode())
            full = os.fstat(descriptor).st_size > LARGEST
        finally:
            os.close(descriptor)
        if full:
            self.path.replace(self.path.with_name("audit.jsonl.1"))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1_000_000 % 1000:03}Z"
