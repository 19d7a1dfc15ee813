"""Start-up ratios and image costs, measured side by side in one run: `python -m bench.startup [--builds]`.

`agentbox --help` beside `python -c "import click"`, `agentbox run` beside plain `docker compose run` of the same model, and with
its broker beside --network open, and with --builds each agent's image size and its build time, cold (no cache) and warm (nothing to do).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

AGENTS = ("pi", "claude", "opencode", "hermes")
AGENTBOX = str(Path(sys.executable).with_name("agentbox"))
GOALS = {"help": 2.0, "run": 1.25}
Timed = Callable[[Sequence[str], dict[str, str]], float]
BROKER_SECONDS = 1.5  # what the broker may add to a start


def seconds(argv: Sequence[str], env: dict[str, str]) -> float:
    """Wall-clock seconds of one run of argv; raises CalledProcessError where it fails."""
    start = time.perf_counter()
    subprocess.run(argv, env=env, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def until_output(argv: Sequence[str], env: dict[str, str]) -> float:
    """Wall-clock seconds until argv has printed something; waits for its end. Raises CalledProcessError where it fails."""
    start = time.perf_counter()
    with subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.read(1)
        taken = time.perf_counter() - start
        process.stdout.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv)
    return taken


def side_by_side(
    one: Sequence[str], other: Sequence[str], rounds: int, env: dict[str, str], timed: Timed = seconds
) -> tuple[float, float]:
    """Medians of both in seconds, taken in turn, so that a busy moment hits both alike; one warm-up each."""
    timed(one, env), timed(other, env)
    pairs = [(timed(one, env), timed(other, env)) for _ in range(rounds)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def row(name: str, one: float, other: float, goal: float) -> None:
    print(f"| {name} | {one:.3f} s | {other:.3f} s | {one / other:.2f} | {goal:.2f} |", flush=True)


def run_command(agent: str, work: Path, env: dict[str, str]) -> tuple[list[str], list[str]]:
    """The command line of one container that ends at once, by agentbox and by plain Compose from the same model."""
    options = [agent, "--network", "open", "-w", str(work)]
    mine = [AGENTBOX, "run", *options, "--", "--version"]
    printed = subprocess.run(
        [AGENTBOX, "compose", *options, "--json"], env=env, check=True, capture_output=True, text=True
    )
    model = json.loads(printed.stdout)
    seconds(mine, env)  # makes the state; what is still missing is the folder of one run's records
    for mount in model["services"][agent]["volumes"]:
        if mount["type"] == "bind":
            Path(mount["source"]).mkdir(parents=True, exist_ok=True)
    file = work.parent / f"{agent}.json"
    file.write_text(json.dumps(model))
    command = model["services"][agent].get("command") or [agent]
    plain = ["docker", "compose", "-f", str(file), "run", "--rm", "-T", agent, command[0], "--version"]
    return mine, plain


def broker(agent: str, mine: list[str], rounds: int, env: dict[str, str]) -> None:
    """What the broker adds until the agent's first output, and until all is over and removed."""
    with_it = ["allowlist" if word == "open" else word for word in mine]
    one, other = side_by_side(with_it, mine, rounds, env, until_output)
    whole, without = side_by_side(with_it, mine, rounds, env)
    print(
        f"| {agent} | {one:.3f} s | {other:.3f} s | {one - other:+.3f} s | {BROKER_SECONDS:+.1f} s"
        f" | {whole - without:+.3f} s |",
        flush=True,
    )


def image_size(agent: str, user: str) -> int:
    """Bytes of the image, all layers."""
    done = subprocess.run(
        ["docker", "image", "inspect", "-f", "{{.Size}}", f"local/{user}-{agent}"],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


def builds(env: dict[str, str]) -> None:
    print("| agent | image | build, cold | build, warm |\n|---|---|---|---|")
    for agent in AGENTS:
        cold = seconds([AGENTBOX, "build", agent, "--no-cache"], env)
        warm = seconds([AGENTBOX, "build", agent], env)
        print(
            f"| {agent} | {image_size(agent, env['REAL_USER']) / 1e6:.0f} MB | {cold:.1f} s | {warm:.1f} s |",
            flush=True,
        )


@contextlib.contextmanager
def newcomer() -> Iterator[tuple[Path, dict[str, str]]]:
    """A project in a home with nothing else in it, and the environment of whoever works there."""
    with tempfile.TemporaryDirectory() as tmp:
        work = Path(tmp, "home", "project")
        work.mkdir(parents=True)
        for path in (Path(tmp), work.parent, work):
            path.chmod(0o755)
            os.chown(path, *(1000, 1000) if os.getuid() == 0 else (-1, -1))
        ids = {"HOST_UID": "1000", "HOST_GID": "1000", "REAL_USER": "bench"}
        yield work, os.environ | {"HOME": str(work.parent), **ids}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--builds", action="store_true", help="also build every image, twice")
    args = parser.parse_args()
    with newcomer() as (work, env):
        if args.builds:
            builds(env)
            print()
        print("| | agentbox | beside | ratio | goal |\n|---|---|---|---|---|")
        one, other = side_by_side([AGENTBOX, "--help"], [sys.executable, "-c", "import click"], args.rounds * 3, env)
        row("agentbox --help / python -c 'import click'", one, other, GOALS["help"])
        commands = {agent: run_command(agent, work, env) for agent in AGENTS}
        for agent, (mine, plain) in commands.items():
            one, other = side_by_side(mine, plain, args.rounds, env)
            row(f"agentbox run {agent} / docker compose run", one, other, GOALS["run"])
        print(
            "\n| first output of run AGENT -- --version | with the broker | --network open | more | goal | to the end |"
        )
        print("|---|---|---|---|---|---|")
        for agent, (mine, _) in commands.items():
            broker(agent, mine, args.rounds, env)


if __name__ == "__main__":
    main()
