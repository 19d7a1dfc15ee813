"""Bounds of memory and CPU: a scope of the user's service manager, or an honest word that there is none.

No machine of the tests' has a manager; this one's systemd-run becomes the command, as the real one does for a scope, and
bounds its memory as far as a shell can.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from native_box import UID, NativeBox, own

pytestmark = [pytest.mark.npm, pytest.mark.slow]

SYSTEMD_RUN = """\
#!/bin/sh
printf '%s\\n' "$@" END >>HOME/asked
[ -S "$XDG_RUNTIME_DIR/systemd/private" ] || { echo "Failed to connect to bus" >&2; exit 1; }
while [ "$1" != -- ]; do
    case $1 in --property=MemoryMax=*) ulimit -v $((${1##*=} / 1024)) ;; esac
    shift
done
shift
case "$*" in *cgroup.controllers*) echo CONTROLLERS; exit ;; esac
exec "$@"
"""
HUNGRY = "python3 -c 'bytearray(1 << 30); print(\"had it\")' 2>&1 | tail -1"
LIMITS = '[limits]\nmemory = "512m"\ncpus = 1.5\n'


def manager(box: NativeBox, controllers: str = "cpu memory pids") -> Path:
    """A service manager that gives these controllers. Returns the file in which its calls are."""
    runtime = box.put("runtime/systemd/.made", "").parent
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(runtime / "private"))
    program = box.put("own/systemd-run", SYSTEMD_RUN.replace("HOME", str(box.home)).replace("CONTROLLERS", controllers))
    program.chmod(0o755)
    own(program)
    box.extra = {"XDG_RUNTIME_DIR": str(runtime.parent), "PATH": f"{program.parent}:{box.environment()['PATH']}"}
    box.put(".config/agentbox/config.toml", LIMITS)
    return box.home / "asked"


def test_a_tool_gets_no_more_memory_than_the_policy_says(box: NativeBox) -> None:
    box.put(".config/agentbox/config.toml", LIMITS)
    assert box.shell(HUNGRY).stdout == "had it\n", "the control fails"
    asked = manager(box)

    assert box.shell(HUNGRY).stdout == "MemoryError\n"

    scope = asked.read_text().split("END\n")[1].splitlines()
    assert scope[: scope.index("--")] == [
        *("--user", "--scope", "--quiet", "--collect", "--property=MemoryMax=536870912"),
        *("--property=MemorySwapMax=0", "--property=CPUQuota=150%", "--property=Delegate=yes"),
    ]


def test_who_joins_is_bounded_too(box: NativeBox) -> None:
    manager(box)
    words = ("shell", "pi", "--engine", "native", "--network", "none", "--", "bash", "-c")
    process = box.start(*words, "echo up; while [ ! -e stop ]; do sleep 0.05; done")
    assert process.stdout is not None
    while process.stdout.readline().strip() != "up":
        assert process.poll() is None
    joined = box.shell(HUNGRY)
    (box.workspace / "stop").touch()
    process.communicate(timeout=30)
    assert (joined.stdout, "which runs" in joined.stderr) == ("MemoryError\n", True)


def test_nothing_of_the_scope_is_left_in_the_environment_and_codes_come_through(box: NativeBox) -> None:
    manager(box)
    assert box.shell('echo "${XDG_RUNTIME_DIR-none}"; exit 7').stdout == "none\n"
    done = box.shell("exit 7")
    assert done.returncode == 7, done.stderr
    assert box.shell("kill -9 $$").returncode == 128 + 9


@pytest.mark.parametrize(
    ("controllers", "said"),
    [
        ("cpu memory", ""),
        ("memory pids", "cpu without a limit (your service manager is not given them)"),
        (None, "memory and cpu without a limit (no service manager of yours runs)"),
    ],
)
def test_what_has_no_limit_is_said_by_the_doctor_and_at_the_start(
    box: NativeBox, controllers: str | None, said: str
) -> None:
    if controllers is not None:
        manager(box, controllers)
    box.extra = {**box.extra, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    found = {each["id"]: each for each in json.loads(box.agentbox("doctor", "--json").stdout)["findings"]}
    start = box.agentbox("shell", "pi", "--network", "none", "--", "true").stderr
    assert found.get("native.limits", {}).get("what", "") == said
    assert said in start
    assert ("without a limit" in start) == bool(said)


def test_where_the_manager_has_gone_since_then_one_start_fails_and_the_next_is_without_it(box: NativeBox) -> None:
    asked = manager(box)
    assert box.shell("echo started").stdout == "started\n"
    program = box.home / "own/systemd-run"
    program.write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    assert asked.stat().st_uid == UID
    assert box.shell("echo started").returncode == 125
    assert box.shell("echo started").stdout == "started\n"
