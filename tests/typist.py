"""Somebody who types into a terminal, for tests of who else hears it."""

from __future__ import annotations

import os
import select
import time


def type_when_ready(terminal: int, seconds: float) -> str:
    """Type two lines as soon as "ready" is there: the program gets what others leave. Returns what was on the screen,
    when all have closed their end or after `seconds`; half of them without a word are the end too."""
    said, sent, until = b"", False, time.monotonic() + seconds
    while time.monotonic() < until and select.select([terminal], [], [], seconds / 2)[0]:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # EIO: nobody has the other end any more
            break
        if b"ready" in said and not sent:
            sent = bool(os.write(terminal, b"TYPED\nAND MORE\n"))
    return said.decode(errors="replace")
