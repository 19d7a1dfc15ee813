"""The native engine beside the bare machine, in one run: `python -m bench.native`.

How long `pi --version` takes in it, what its wrapper holds in memory, and what git and gcc take inside. As an ordinary user, or
as root, which makes agentbox run them as UID 1000.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.startup import AGENTBOX, newcomer, side_by_side

GOALS = {"start": 0.150, "work": 1.10, "memory": 40}
WORK = {
    "git": "cd $(mktemp -d -p .) && git init -q . && for i in $(seq 60); do echo $i > $i; done && git add . && "
    "git -c user.name=a -c user.email=a@b commit -q -m x && for i in $(seq 40); do git log --oneline > /dev/null; done",
    "gcc": "for i in $(seq 12); do echo 'int f(int a) { return a; }' > f$i.c; gcc -O2 -c f$i.c; done",
}
# Only what is between is counted: the sandbox's own start is the first line's business.
TIMED = "s=$(date +%s%N); ( {} ) && e=$(date +%s%N) && echo $(( (e - s) / 1000 ))"


def inside(script: str, work: Path, env: dict[str, str]) -> float:
    words = [AGENTBOX, "shell", "pi", "--engine", "native", "--network", "none", "-w", str(work), "--", "bash", "-c"]
    return float(subprocess.check_output([*words, TIMED.format(script)], env=env, stderr=subprocess.DEVNULL)) / 1e6


def outside(script: str, work: Path, env: dict[str, str]) -> float:
    ids = {"user": 1000, "group": 1000, "extra_groups": []} if os.getuid() == 0 else {}
    words = ["bash", "-c", TIMED.format(script)]
    return float(subprocess.check_output(words, cwd=work, env=env, **ids)) / 1e6


def resident(work: Path, env: dict[str, str]) -> float:
    """MiB of agentbox itself while an agent runs without a broker."""
    words = [AGENTBOX, "shell", "pi", "--engine", "native", "--network", "none", "-w", str(work), "--", "sleep", "2"]
    with subprocess.Popen(words, env=env) as process:
        time.sleep(1.8)
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with newcomer() as (work, env):
        mine = [AGENTBOX, "run", "pi", "--engine", "native", "-w", str(work), "--", "--version"]
        subprocess.run(mine, env=env, check=True, stdout=subprocess.DEVNULL)  # installs
        root = next((work.parent / ".cache/agentbox/pi").glob("[0-9]*"))
        node, script = (next(root.glob(f"**/{name}")) for name in ("bin/node", "dist/bundle/cli.js"))
        one, other = side_by_side(mine, [str(node), str(script), "--version"], rounds, env)
        print("| | native | bare | | goal |\n|---|---|---|---|---|")
        print(f"| pi --version | {one:.3f} s | {other:.3f} s | +{(one - other) * 1000:.0f} ms | +150 ms |")
        for name, text in WORK.items():
            pairs = [(inside(text, work, env), outside(text, work, env)) for _ in range(rounds)]
            one, other = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"| {name} | {one:.3f} s | {other:.3f} s | {one / other:.2f} | {GOALS['work']:.2f} |", flush=True)
        print(f"| memory of agentbox | {resident(work, env):.0f} MiB | | | {GOALS['memory']} MiB |")


if __name__ == "__main__":
    sys.exit(main())
