"""`agentbox doctor` on the real engine: what it says of it, and of containers that lack one protection each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from boxes import AGENTS, REAL_USER, Box, finished
from reporting import show

from agentbox.resources import tree

# What each piece of Python, run before doctor, takes away from the container that doctor asks; and what doctor says then.
WITHOUT = {
    "Landlock": ("probe.tree = lambda _: Path({folder!r}) / 'no_landlock'", "kernel.landlock", "built without"),
    "the seccomp profile": ("probe.tree = lambda _: Path({folder!r}) / 'all'", "kernel.seccomp", "profile is not applied"),
    "no_new_privs": ("take('security_opt', lambda old: old[1:])", "kernel.seccomp", "no_new_privs is off"),
    "dropped capabilities": ("take('cap_drop', lambda _: [])", "kernel.seccomp", "capabilities are left"),
    "a user": ("take('user', lambda _: '0:0')", "kernel.seccomp", "the process is root"),
    "a limit on pids": ("take('pids_limit', lambda _: -1)", "kernel.limits.pids", "has no effect"),
    "a limit on memory": ("take('mem_limit', lambda _: None, 'memswap_limit')", "kernel.limits.memory", "has no effect"),
    "a limit on CPU": ("take('nano_cpus', lambda _: None)", "kernel.limits.cpu", "has no effect"),
}  # fmt: skip
PROGRAM = """
import sys
from pathlib import Path
from agentbox.cli import main
from agentbox.doctor import probe
from agentbox.engine import Engine
before = Engine.output_of
def take(name, change, *more):
    def output_of(self, image, command, **options):
        return before(self, image, command, **options | {{name: change(options[name]), **dict.fromkeys(more)}})
    Engine.output_of = output_of
{change}
sys.argv = ["agentbox", "doctor", "--json"]
main()
"""


def findings(answer: subprocess.CompletedProcess[str]) -> dict[str, dict]:
    assert answer.stderr == ""
    return {each["id"]: each for each in json.loads(answer.stdout)["findings"]}


def container_findings(found: dict[str, dict]) -> dict[str, str]:
    return {name: each["level"] for name, each in found.items() if name.startswith("kernel.")}


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    """Seccomp profiles: ours without Landlock's system calls, and one that lets everything through."""
    ours = json.loads((tree("containers") / "seccomp.json").read_text())
    rules = [{**rule, "names": [name for name in rule["names"] if "landlock" not in name]} for rule in ours["syscalls"]]
    refused = {"names": ["landlock_create_ruleset"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    for name, profile in {
        "no_landlock": {**ours, "syscalls": [*(rule for rule in rules if rule["names"]), refused]},
        "all": {"defaultAction": "SCMP_ACT_ALLOW"},
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "seccomp.json").write_text(json.dumps(profile))
    return tmp_path


def test_all_is_well(box: Box, images: Callable[[str], str], pytestconfig: pytest.Config):
    answer = box.agentbox("doctor", "--json")
    found = findings(answer)
    show(pytestconfig, box.agentbox("doctor").stdout.splitlines())
    assert answer.returncode == 0
    assert set(container_findings(found).values()) == {"ok"}
    assert {"kernel.landlock", "kernel.seccomp", "kernel.limits", "kernel.users"} <= set(found)
    assert found["images.fresh"]["what"] == f"up to date: base, egress, {', '.join(sorted(AGENTS))}"


@pytest.mark.parametrize("protection", WITHOUT)
def test_a_container_without_one_protection(box: Box, profiles: Path, protection: str):
    change, name, words = WITHOUT[protection]
    program = PROGRAM.format(change=change.format(folder=str(profiles)))
    answer = finished([sys.executable, "-c", program], env=box.environment(), cwd=box.workspace)
    found = findings(answer)
    assert words in found[name]["what"]
    assert found[name]["level"] == ("warning" if name == "kernel.limits.cpu" else "error")
    assert answer.returncode == (0 if name == "kernel.limits.cpu" else 1)
    # Of all else in the container it still says that it is in order.
    assert {each for each, level in container_findings(found).items() if level != "ok"} == {name}


def test_images_older_than_the_configuration(box: Box):
    box.put(".config/agentbox/config.toml", '[image]\npackages = ["golang"]\n')
    found = findings(box.agentbox("doctor", "--json"))
    assert found["images.stale"]["what"].endswith(f"configuration: base, {', '.join(sorted(AGENTS))}")


def test_without_an_image_it_says_what_it_cannot_know(box: Box):
    environ = {**box.environment(), "REAL_USER": f"{REAL_USER}-without-images"}
    answer = finished([sys.executable, "-m", "agentbox", "doctor", "--json"], env=environ, cwd=box.workspace)
    found = findings(answer)
    assert (found["kernel.container"]["level"], found["kernel.container"]["fix"]) == ("warning", "agentbox build")
    assert "in this machine's kernel" in found["kernel.landlock"]["what"]
    assert "kernel.limits" not in found


def test_no_engine_where_one_is_looked_for(box: Box):
    environ = {**box.environment(), "DOCKER_HOST": f"unix://{box.home}/none.sock"}
    doctor = [sys.executable, "-m", "agentbox", "doctor", "--json"]
    answer = finished(doctor, env=environ, cwd=box.workspace)
    assert (answer.returncode, findings(answer)["engine.reach"]["level"]) == (0, "warning")  # there is the native one
    assert "is not running" in findings(answer)["engine.reach"]["what"]
    assert findings(answer)["programs.compose"]["level"] == "ok"
    box.put(".config/agentbox/config.toml", 'engine = "docker"\n')
    answer = finished(doctor, env=environ, cwd=box.workspace)
    assert (answer.returncode, findings(answer)["engine.reach"]["level"]) == (1, "error")


# Connects with the rights of nobody; all of the process could not be nobody, as its Python may be in root's home.
NOBODY = """
import ctypes, os, socket, sys
from agentbox.cli import main
libc, before = ctypes.CDLL(None), socket.socket.connect
def connect(self, address):
    libc.setfsgid(65534), libc.setfsuid(65534)
    try:
        return before(self, address)
    finally:
        libc.setfsuid(0), libc.setfsgid(0)
os.setgroups([])
socket.socket.connect = connect
sys.argv = ["agentbox", "doctor", "--json"]
main()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as a user who may not use the engine")
def test_a_user_who_may_not_use_the_engine(box: Box):
    answer = finished([sys.executable, "-c", NOBODY], env=box.environment(), cwd=box.workspace)
    assert (answer.returncode, findings(answer)["engine.reach"]["level"]) == (0, "warning")  # there is the native one
    assert "no permission on" in findings(answer)["engine.reach"]["what"]


def test_a_container_that_a_killed_run_left(box: Box, images: Callable[[str], str]):
    """On a host of a name of its own: what others run on this engine takes the container for another host's."""
    name = f"agentbox-left-{os.getpid()}"
    program = f"import socket, sys; socket.gethostname = lambda: {name!r}\nfrom agentbox.cli import main; "
    program += "sys.argv = ['agentbox', 'doctor', '--json', *sys.argv[1:]]; main()"

    def doctor(*options: str) -> dict:
        answer = finished([sys.executable, "-c", program, *options], env=box.environment(), cwd=box.workspace)
        return dict(json.loads(answer.stdout))

    owner = f"--label=io.agentbox.owner={2**22 + 1}:1:{name}"  # no such pid can be
    finished(["docker", "create", f"--name={name}", owner, "--label=io.agentbox.agent=pi", images("pi")])
    try:
        assert f"{name} is left of a run that was killed" in [each["what"] for each in doctor()["findings"]]
        assert finished(["docker", "inspect", name]).returncode == 0
        assert f"removed {name}" in doctor("--fix")["fixed"]
        assert finished(["docker", "inspect", name]).returncode != 0
    finally:
        finished(["docker", "rm", "--force", name])


def test_it_leaves_no_container(box: Box, images: Callable[[str], str]):
    environ = box.environment()
    doctor = subprocess.Popen(
        [sys.executable, "-m", "agentbox", "doctor"], env=environ, cwd=box.workspace, stdout=subprocess.DEVNULL
    )
    assert doctor.wait(60) == 0
    listed = finished(["docker", "ps", "--all", '--format={{.Label "io.agentbox.owner"}}']).stdout
    assert not [line for line in listed.splitlines() if line.startswith(f"{doctor.pid}:")]
