"""What signals do for a while: end a run as ^C does, or nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handled(numbers: Iterable[int], handler: Any) -> Iterator[None]:
    """These signals go to `handler`, and afterwards to whom they went before. Only the main thread may ask for it."""
    before = [(number, signal.signal(number, handler)) for number in numbers]
    try:
        yield
    finally:
        for number, old in before:
            signal.signal(number, old)


def as_interruption() -> AbstractContextManager[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt, but where they are ignored, as nohup has it: what was begun is ended,
    and what was made removed."""
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
    return handled(numbers, signal.default_int_handler)


def undisturbed() -> AbstractContextManager[None]:
    """While a run is taken away, no signal interrupts that: half of it would stay, its keys perhaps. People press ^C
    twice, and the agent has ended at the first. Other threads than the main one get no signals anyway."""
    here = threading.current_thread() is threading.main_thread()
    return handled(ENDS if here else (), lambda *_: None)
