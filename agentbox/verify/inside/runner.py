"""runner.py: runs the attacks of plan.json, as what it is itself: a process of the agent's tools.

After each it leaves what was printed in out/, and goes on when the host has looked at the files and says so in ack/.
Those that touch nothing of each other's, and mostly wait, run several at a time.
"""

import errno
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
    """The launch chain, which has become the agent; or who stands in for it."""
    for name in ("stand-in", "chain"):
        if (HERE / name).exists():
            return (HERE / name).read_text().strip()
    return ""


def refused_by_kernel(settings, output):
    """Which of the settings with which a kernel refuses the attack this one has."""
    for setting in settings:
        name, _, value = setting.partition("=")
        if name == "ENOSYS" and f"[Errno {errno.ENOSYS}]" in output:
            return "the kernel has no such call"
        with suppress(OSError):
            if name != "ENOSYS" and ",".join(Path("/proc/sys", *name.split(".")).read_text().split()) == value:
                return f"the kernel has {setting}"
    return ""


def run(attack, environment):
    scratch = Path(attack["environment"]["WORK"], "scratch", str(attack["number"]))
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


def report(number, output, kernel=""):
    part = HERE / f"out/.{number}"
    part.write_text(json.dumps({"number": number, "output": output, "kernel": kernel}))
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
        report(attack["number"], output, refused_by_kernel(attack["kernel"], output))

    for beside, attacks in groupby(plan["attacks"], lambda attack: attack["beside"]):
        with ThreadPoolExecutor(AT_ONCE if beside else 1) as pool:
            list(pool.map(one, attacks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
