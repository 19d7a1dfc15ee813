"""Ends that are asked for by a signal, as ^C: what was begun is ended, and what was made removed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_interruption() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt, but where they are ignored, as nohup has it."""
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
    before = [(number, signal.signal(number, signal.default_int_handler)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
