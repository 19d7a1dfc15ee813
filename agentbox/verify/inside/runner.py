"""runner.py: runs the attacks of plan.json, as what it is itself: a process of the agent's tools.

After each it leaves what was printed in out/, and goes on when the host has looked at the files and says so in ack/.
Those that touch nothing of each other's, and mostly wait, run several at a time.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS, HOST_SECONDS, LARGEST, AT_ONCE = 20, 20, 64 * 1024, 8


def agent_pid():
    """The first process after the init: the launch chain, which has become the agent. Or who stands in for it."""
    if (HERE / "stand-in").exists():
        return (HERE / "stand-in").read_text()
    for entry in sorted((each for each in os.listdir("/proc") if each.isdigit()), key=int):
        try:
            parent = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if parent == "1":
            return entry
    return ""


def run(attack, environment):
    scratch = Path("/workspace/scratch", str(attack["number"]))
    scratch.mkdir(parents=True, exist_ok=True)
    variables = {**os.environ, **environment, **attack["environment"], "SCRATCH": str(scratch), "PYTHONPATH": str(HERE)}
    command = [attack["program"], str(HERE / attack["file"])]
    # A file, not a pipe: what an attack leaves running must not be waited for.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, env=variables, cwd=scratch, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            output.seek(0, os.SEEK_END)
            output.write(b"\n(ended after its time)\n")
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output.seek(0)
        return output.read(LARGEST).decode(errors="replace")


def report(number, output):
    part = HERE / f"out/.{number}"
    part.write_text(json.dumps({"number": number, "output": output}))
    part.rename(HERE / f"out/{number}")
    until = time.monotonic() + HOST_SECONDS
    while not (HERE / f"ack/{number}").exists() and time.monotonic() < until:
        time.sleep(0.004)


def main():
    plan = json.loads((HERE / "plan.json").read_text())
    if os.getuid() == 0:
        os.umask(0)  # the host's user, who is another one, shall be able to remove what is made here
    environment = {**plan["environment"], "AGENT_PID": agent_pid()}

    def one(attack):
        try:
            output = run(attack, environment)
        except OSError as error:
            output = f"(did not start: {error})"
        report(attack["number"], output)

    for beside, attacks in groupby(plan["attacks"], lambda attack: attack["beside"]):
        with ThreadPoolExecutor(AT_ONCE if beside else 1) as pool:
            list(pool.map(one, attacks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
