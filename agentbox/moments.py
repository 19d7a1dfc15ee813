"""Moments as people write them on a command line."""

from __future__ import annotations

import re
from datetime import datetime

from agentbox.errors import UsageError

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def parse(option: str, text: str, now: float) -> float:
    """`10m`, or a date, with a time or without, here or in the zone that it names, in seconds since 1970.

    Raises UsageError.
    """
    if match := re.fullmatch(r"([0-9]{1,9})([smhdw])", text.strip().lower()):
        return now - int(match[1]) * SECONDS[match[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        hint = "for example 10m, 2h, 3d, 2026-11-25 or 2026-11-25T10:00"
        raise UsageError(f"{option} {text}", "is no time", hint) from None
