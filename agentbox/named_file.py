"""A file that a setting or a variable names."""

from __future__ import annotations

import os
from pathlib import Path


def is_readable(name: str) -> bool:
    """Whether `name` is a file that can be read. Path's own question fails where a folder above is closed."""
    return os.access(name, os.R_OK) and Path(name).is_file()
