"""What the search for secrets costs before a start: beside a bare walk through the same tree.

python -m bench.masks [FOLDERS]     FOLDERS of ten files each (20000)
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from agentbox import mask, policy
from agentbox.identity import Identity
from agentbox.workspace import Mount

ROUNDS = 7


def make(root: Path, folders: int) -> None:
    for number in range(folders):
        folder = root / f"p{number % 200}" / f"d{number}"
        folder.mkdir(parents=True)
        for name in range(10):
            (folder / f"file-{name}.ts").touch()
    (root / "p0" / ".env").touch()


def walk(root: str) -> None:
    folders = [root]
    while folders:
        with os.scandir(folders.pop()) as entries:
            folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def main() -> int:
    folders = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    with tempfile.TemporaryDirectory() as text:
        root = Path(text).resolve()
        make(root, folders)
        rules, who = policy.load("pi").mask, Identity(1000, 1000, "bench", root / "no-home")
        ratios, times = [], []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            walk(str(root))
            middle = time.perf_counter()
            found = mask.find(rules, [Mount(root, "/workspace")], who, mask.Wish())
            end = time.perf_counter()
            assert found.names == ["p0/.env"]
            ratios.append((end - middle) / (middle - begin))
            times.append(end - middle)
        print(f"search for secrets, {folders * 11:,} entries: {statistics.median(times):.2f} s, ", end="")
        print(f"{statistics.median(ratios):.2f} of a bare walk")
    return 0


if __name__ == "__main__":
    sys.exit(main())
