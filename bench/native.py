"""The native engine beside the bare machine and Docker, in one run: `python -m bench.native [--docker]`.

How long `pi --version` takes in it, what its wrapper holds in memory, and what git, gcc and npm take inside. As an
ordinary user, or as root, which makes agentbox run them as UID 1000. The folder of a Python for the broker must be on PATH.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.jobs import WORK
from bench.startup import AGENTBOX, newcomer, side_by_side

GOALS = {"start": 150, "work": 1.10, "memory": 40}
# The second time in one sandbox: its own start is the first table's business, and Node's caches begin empty.
TIMED = "( {0} ) > /dev/null; s=$(date +%s%N); ( {0} ) > /dev/null && e=$(date +%s%N) && echo $(( (e - s) / 1000 ))"


def inside(script: str, work: Path, env: dict[str, str]) -> float:
    words = [AGENTBOX, "shell", "pi", "--engine", "native", "--network", "none", "-w", str(work), "--", "bash", "-c"]
    return float(subprocess.check_output([*words, TIMED.format(script)], env=env, stderr=subprocess.DEVNULL)) / 1e6


def outside(script: str, work: Path, env: dict[str, str]) -> float:
    words = ["bash", "-c", TIMED.format(script)]
    return float(subprocess.check_output(words, cwd=work, env=env, **ids())) / 1e6


def ids() -> dict[str, Any]:
    return {"user": 1000, "group": 1000, "extra_groups": []} if os.getuid() == 0 else {}


def resident(work: Path, env: dict[str, str]) -> float:
    """MiB of agentbox itself while an agent runs without a broker."""
    words = [AGENTBOX, "shell", "pi", "--engine", "native", "--network", "none", "-w", str(work), "--", "sleep", "2"]
    with subprocess.Popen(words, env=env) as process:
        time.sleep(1.8)
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


def starts(work: Path, env: dict[str, str], rounds: int, *, docker: bool) -> None:
    def mine(engine: str) -> list[str]:
        return [AGENTBOX, "run", "pi", "--engine", engine, "-w", str(work), "--", "--version"]

    subprocess.run(mine("native"), env=env, check=True, stdout=subprocess.DEVNULL)  # installs
    root = next((work.parent / ".cache/agentbox/pi").glob("[0-9]*"))
    node, script = (next(root.glob(f"**/{name}")) for name in ("bin/node", "dist/bundle/cli.js"))
    one, other = side_by_side(mine("native"), [str(node), str(script), "--version"], rounds * 2, env)
    print("| pi --version | native | beside | | goal |\n|---|---|---|---|---|")
    print(f"| bare | {one:.3f} s | {other:.3f} s | +{(one - other) * 1000:.0f} ms | +{GOALS['start']} ms |", flush=True)
    if docker:
        one, other = side_by_side(mine("native"), mine("docker"), rounds, env)
        print(f"| Docker | {one:.3f} s | {other:.3f} s | {one / other:.2f} | |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--docker", action="store_true", help="also beside a container of the same image")
    args = parser.parse_args()
    with newcomer() as (work, env):
        starts(work, env, args.rounds, docker=args.docker)
        print("\n| inside | native | bare | ratio | goal |\n|---|---|---|---|---|")
        for name, text, prepare, goal in WORK:
            subprocess.run(["bash", "-ec", prepare], cwd=work, env=env, check=True, stdout=subprocess.DEVNULL, **ids())
            pairs = [(inside(text, work, env), outside(text, work, env)) for _ in range(args.rounds)]
            one, other = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = statistics.median(a / b for a, b in pairs)
            print(
                f"| {name} | {one:.3f} s | {other:.3f} s | {ratio:.2f} | {max(goal, GOALS['work']):.2f} |", flush=True
            )
        print(f"\nmemory of agentbox: {resident(work, env):.0f} MiB (goal {GOALS['memory']})")


if __name__ == "__main__":
    sys.exit(main())
