"""Speed ratios of the vault, side by side in one run (root, Linux with Landlock).

    python -m bench                on this machine, in mount namespaces
    python -m bench --container    in containers of the pi image

Each row alternates between what is measured and its baseline, so that both see the same machine; the ratio is the median of
the rounds' ratios.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bench.jobs import WORK
from bench.places import Container, Namespace, Place, compile_all, vault_world

PLAIN = "/usr/share/doc/libc6/copyright"
Run = Callable[[], float]


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: Run
    baseline: Run
    goal: float | None = None
    rounds: int = 31


class Bench:
    """Places with the vault, without it, and with an empty object instead of it; the programs in each."""

    def __init__(self, programs: Path, kind: Callable[[Path, str], Place]) -> None:
        self.vault, self.bare, self.empty = (kind(programs, name) for name in ("vault", "bare", "empty"))

    def close(self) -> None:
        """End the places."""
        for place in (self.vault, self.bare, self.empty):
            place.close()

    def number(self, place: Place, *argv: str, **options: Any) -> Run:
        """What ./measure prints."""

        def run() -> float:
            done = place.run(*argv, **options)
            if done.returncode != 0:
                raise SystemExit(f"{argv}: {done.returncode} {done.stderr}")
            return float(done.stdout)

        return run

    def seconds(self, place: Place, script: str, prepare: str) -> Run:
        """The time of a shell script in a folder that `prepare` has filled."""
        place.run("/bin/sh", "-ec", prepare, timeout=300)

        def run() -> float:
            start = time.perf_counter()
            done = place.run("/bin/sh", "-ec", script, timeout=300)
            taken = time.perf_counter() - start
            if done.returncode != 0:
                raise SystemExit(f"{script}: {done.returncode} {done.stderr}")
            return taken

        return run

    def libc_layer(self) -> list[Row]:
        """Where the kernel has no Landlock."""
        number, vault, bare, libc = self.number, self.vault, self.bare, {"landlock": False}
        copied = [str(place.work / "copied") for place in (vault, bare)]
        return [
            Row(
                "open+close, interposer / bare",
                number(vault, "./measure", "open", PLAIN, **libc),
                number(bare, "./measure", "open", PLAIN, **libc),
                1.03,
            ),
            Row(
                "open+close in the workspace, interposer without Landlock / bare",
                number(vault, "./measure", "open", copied[0], **libc),
                number(bare, "./measure", "open", copied[1], **libc),
            ),
        ]

    def calls(self) -> list[Row]:
        """Single operations."""
        number, vault, bare = self.number, self.vault, self.bare
        usual = {"env": {"LD_PRELOAD": str(bare.work / "usual.so")}}
        copied = [str(place.work / "copied") for place in (vault, bare)]
        spawn, opened = ("./measure", "spawn", "/bin/true"), ("./measure", "open", PLAIN)
        by_agent = ("./agent", "spawn", "/bin/true")
        return [
            Row("open+close, the usual design / bare", number(bare, *opened, **usual), number(bare, *opened)),
            Row(
                "open+close, in the domain / bare domain",
                number(vault, *opened),
                number(bare, "./confined", *opened),
                1.03,
            ),
            Row(
                "open+close in the workspace, in the domain / bare domain",
                number(vault, "./measure", "open", copied[0]),
                number(bare, "./confined", "./measure", "open", copied[1]),
                1.03,
            ),
            Row(
                "open+close, bare domain / bare (the kernel's share)",
                number(bare, "./confined", *opened),
                number(bare, *opened),
            ),
            Row(
                "spawn, an empty object in ld.so.preload / bare (the floor)",
                number(self.empty, *spawn),
                number(bare, *spawn),
            ),
            Row(
                "spawn in a bare domain / bare (the kernel's share)",
                number(bare, "./confined", *spawn),
                number(bare, *spawn),
            ),
            Row("spawn by a confined process / bare", number(vault, *spawn), number(bare, *spawn), 1.12),
            Row(
                "spawn by a confined process / in a bare domain",
                number(vault, *spawn),
                number(bare, "./confined", *spawn),
                1.12,
            ),
            Row("spawn, the usual design / bare", number(bare, *spawn, **usual), number(bare, *spawn)),
            Row("spawn by the agent / bare", number(vault, *by_agent, launch=True), number(bare, *by_agent), 1.25),
        ]

    def work(self) -> list[Row]:
        """Whole programs."""

        def row(what: str, script: str, prepare: str, goal: float) -> Row:
            runs = (self.seconds(place, script, prepare) for place in (self.vault, self.bare))
            return Row(what, *runs, goal, rounds=9)

        return [row(*each) for each in WORK]


def measure(row: Row) -> tuple[float, float, float]:
    """Median of the measured, of the baseline, and of the ratios, alternating which goes first."""
    pairs = []
    for turn in range(row.rounds):
        order = (row.measured, row.baseline) if turn % 2 else (row.baseline, row.measured)
        first, second = order[0](), order[1]()
        pairs.append((first, second) if turn % 2 else (second, first))
    return (
        statistics.median(one for one, _ in pairs),
        statistics.median(two for _, two in pairs),
        statistics.median(one / two for one, two in pairs),
    )


def main() -> int:
    """Print the table. Exit 1 if a goal was missed."""
    contained = sys.argv[1:] == ["--container"]
    if sys.argv[1:] and not contained:
        raise SystemExit(__doc__)
    reason = None if contained else vault_world.unusable()
    if reason:
        raise SystemExit(f"bench: {reason}")
    with tempfile.TemporaryDirectory() as folder:
        programs = Path(folder)
        compile_all(programs)
        shutil.copy(PLAIN, programs / "copied")
        bench = Bench(programs, Container if contained else Namespace)
    try:
        return show([*([] if contained else bench.libc_layer()), *bench.calls(), *bench.work()])
    finally:
        bench.close()


def show(rows: list[Row]) -> int:
    """Measure and print each row; 1 if a goal was missed."""
    missed = 0
    print("| what | measured | baseline | ratio | goal |\n|---|---|---|---|---|")
    for row in rows:
        one, two, ratio = measure(row)
        unit = "ns" if one > 100 else "s"
        late = row.goal is not None and ratio > row.goal
        missed += late
        goal = "" if row.goal is None else f"{row.goal}{' missed' if late else ''}"
        print(f"| {row.what} | {one:.4g} {unit} | {two:.4g} {unit} | {ratio:.3f} | {goal} |", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
