"""Speed ratios of the vault, side by side in one run: ``python -m bench`` (root, Linux with Landlock).

Each row alternates between what is measured and its baseline, so that both see the same machine; the ratio is the median of
the rounds' ratios.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import vault_world  # noqa: E402  (the tests' folder is not a package)
from vault_world import World, policy  # noqa: E402

from agentbox import resources  # noqa: E402

SRC = Path(__file__).parent / "src"
PLAIN = "/usr/share/doc/libc6/copyright"
ROUNDS = 7
Run = Callable[[], float]


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: Run
    baseline: Run
    goal: float | None = None
    rounds: int = ROUNDS


def compile_all(target: Path) -> None:
    """The measuring programs and the peer."""
    csrc = resources.tree("csrc")
    core = [csrc / f"{name}.c" for name in ("policy", "rules", "path", "say", "load", "domain")]
    builds: dict[str, list[str | Path]] = {
        "measure": [SRC / "measure.c"],
        "confined": [SRC / "confined.c", *core, "-static", "-D_GNU_SOURCE", f"-I{csrc}"],
        "usual.so": [SRC / "usual.c", "-shared", "-fPIC", "-fno-builtin"],
        "empty.so": ["-xc", "/dev/null", "-shared", "-nostdlib"],
    }
    for name, words in builds.items():
        subprocess.run(["cc", "-O2", *words, "-o", target / name], check=True)
    shutil.copy(target / "measure", target / "agent")


class Bench:
    """Worlds with the vault, without it, and with an empty object in its place; the programs in each."""

    def __init__(self, programs: Path) -> None:
        self.vault = vault_world.make_world(programs, policy("/unset"), preload=True)
        self.bare = vault_world.make_world(programs, policy("/unset"), preload=False)
        self.empty = vault_world.make_world(programs, policy("/unset"), preload=False)
        self.vault.set_policy(policy(self.vault.work / "agent"))
        self.empty.inside(self.preload_empty)

    def preload_empty(self) -> None:
        """What any preload costs: in each world the same words in ld.so.preload."""
        shutil.copy(self.empty.work / "empty.so", "/etc/agentbox/fs-vault.so")
        Path("/etc/ld.so.preload").write_text("/etc/agentbox/fs-vault.so\n")

    def close(self) -> None:
        """End the worlds."""
        for world in (self.vault, self.bare, self.empty):
            world.close()

    def number(self, world: World, *argv: str, **options: object) -> Run:
        """What ./measure prints."""

        def run() -> float:
            done = world.run(*argv, **options)
            if done.returncode != 0:
                raise SystemExit(f"{argv}: {done.returncode} {done.stderr}")
            return float(done.stdout)

        return run

    def seconds(self, world: World, script: str, prepare: str) -> Run:
        """The time of a shell script in a folder that `prepare` has filled."""
        world.run("/bin/sh", "-ec", prepare, timeout=300)

        def run() -> float:
            start = time.perf_counter()
            done = world.run("/bin/sh", "-ec", script, timeout=300)
            taken = time.perf_counter() - start
            if done.returncode != 0:
                raise SystemExit(f"{script}: {done.returncode} {done.stderr}")
            return taken

        return run

    def calls(self) -> list[Row]:
        """Single operations."""
        number, vault, bare = self.number, self.vault, self.bare
        libc, usual = {"landlock": False}, {"env": {"LD_PRELOAD": str(bare.work / "usual.so")}}
        copied = str(vault.work / "copied"), str(bare.work / "copied")
        for path in copied:
            shutil.copy(PLAIN, path)
        spawn, opened = ("./measure", "spawn", "/bin/true"), ("./measure", "open", PLAIN)
        by_agent = ("./agent", "spawn", "/bin/true")
        return [
            Row("open+close, interposer / bare", number(vault, *opened, **libc), number(bare, *opened, **libc), 1.03),
            Row(
                "open+close in the workspace, interposer without Landlock / bare",
                number(vault, "./measure", "open", copied[0], **libc),
                number(bare, "./measure", "open", copied[1], **libc),
            ),
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
            Row("spawn by a confined process / bare", number(vault, *spawn), number(bare, *spawn), 1.12),
            Row("spawn, the usual design / bare", number(bare, *spawn, **usual), number(bare, *spawn)),
            Row("spawn by the agent / bare", number(vault, *by_agent, launch=True), number(bare, *by_agent), 1.25),
        ]

    def work(self) -> list[Row]:
        """Whole programs."""

        def row(what: str, script: str, prepare: str, goal: float) -> Row:
            return Row(what, self.seconds(self.vault, script, prepare), self.seconds(self.bare, script, prepare), goal)

        files = "i=0; mkdir -p {0}; cd {0}; while [ $i -lt {1} ]; do mkdir -p d$((i/100)); echo line $i > d$((i/100))/f$i; i=$((i+1)); done"
        package = """mkdir -p p q; printf '{"name":"p","version":"1.0.0"}' > p/package.json; printf '{"name":"q"}' > q/package.json
            cd p; npm pack -s"""
        git = "git -c user.name=a -c user.email=a@b"
        return [
            row(
                "git status, 5,000 files",
                "cd g; git status --porcelain; git status --porcelain",
                files.format("g", 5000) + f"; git init -q .; git add .; {git} commit -qm x",
                1.05,
            ),
            row(
                "gcc, 50 files",
                "cd c; for f in *.c; do cc -O1 -c $f; done",
                'mkdir c; cd c; i=0; while [ $i -lt 50 ]; do echo "#include <stdio.h>\nint f$i(void){return puts(\\"x\\");}" > $i.c; i=$((i+1)); done',
                1.05,
            ),
            row(
                "npm install, cached package",
                "cd q; rm -rf node_modules; npm install -s --offline --no-audit --no-fund ../p/p-1.0.0.tgz",
                package,
                1.05,
            ),
            row("grep -r, 10,000 files", "grep -r nothing-to-find n || true", files.format("n", 10000), 1.20),
        ]


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
    reason = vault_world.unusable()
    if reason:
        raise SystemExit(f"bench: {reason}")
    programs = Path(subprocess.run(["mktemp", "-d"], check=True, text=True, capture_output=True).stdout.strip())
    compile_all(programs)
    bench = Bench(programs)
    missed = 0
    try:
        print("| what | measured | baseline | ratio | goal |\n|---|---|---|---|---|")
        for row in [*bench.calls(), *bench.work()]:
            one, two, ratio = measure(row)
            unit = "ns" if one > 100 else "s"
            late = row.goal is not None and ratio > row.goal
            missed += late
            goal = "" if row.goal is None else f"{row.goal}{' missed' if late else ''}"
            print(f"| {row.what} | {one:.4g} {unit} | {two:.4g} {unit} | {ratio:.3f} | {goal} |", flush=True)
    finally:
        bench.close()
        shutil.rmtree(programs)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
