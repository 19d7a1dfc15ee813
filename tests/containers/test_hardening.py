"""What a tool finds in each container: no rights, nothing to write but what is meant to be, and bounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from boxes import AGENTS, Agent, Box, finished, make_box

HERE = Path(__file__).parent
GONE = (
    *("su", "sudo", "runuser", "newgrp", "login", "passwd", "chsh", "chfn", "chage", "gpasswd"),
    *("mount", "umount", "chroot", "nsenter", "unshare", "setpriv"),
)
BOMB = """
import os, time
made = 0
try:
    while made < 1000:
        if os.fork() == 0:
            time.sleep(30)
        made += 1
except BlockingIOError as error:
    print(made, error.errno)
"""


@pytest.fixture(scope="module", params=list(AGENTS))
def facts(
    request: pytest.FixtureRequest, images: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> dict:
    """inside.py's report from the container of one agent."""
    box = make_box(tmp_path_factory.mktemp("facts"))
    (box.workspace / "inside.py").write_text((HERE / "inside.py").read_text())
    run = box.shell(request.param, "python3 /workspace/inside.py " + " ".join(GONE))
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


def test_no_capability_no_new_privileges_seccomp(facts: dict) -> None:
    status = facts["status"]
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert "0" not in status["Uid"].split()


def test_the_root_file_system_is_read_only(facts: dict) -> None:
    refused = {path: error for path, error in facts["writes"].items() if error != "written"}
    assert set(refused) == {"/", "/usr", "/usr/local/bin", "/etc", "/etc/agentbox", "/opt", "/var", "/root"}
    assert set(refused.values()) <= {"EROFS", "EACCES"}


COMPILED = """
const { Script } = require('vm'); const { readFileSync } = require('fs');
const folder = '/usr/local/lib/agentbox/js/';
const text = readFileSync(folder + 'joined.js', 'latin1'); const cachedData = readFileSync(folder + 'joined.cache');
console.log(new Script(text, { cachedData }).cachedDataRejected);
"""


def test_compiled_guard_fits_the_images_node_and_no_tool_can_change_it(
    images: Callable[[str], str], tmp_path: Path
) -> None:
    box = make_box(tmp_path)
    (box.workspace / "compiled.js").write_text(COMPILED)
    folder = "/usr/local/lib/agentbox/js"
    change = f"for f in {folder}/*; do chmod u+w $f; : >>$f; done; rm -r {folder}"
    run = box.shell("pi", f"node compiled.js; ls {folder}; echo --; {change}; node compiled.js; ls {folder}")
    before, after = run.stdout.split("--\n")
    assert before.split()[0] == "false", run.stderr
    assert {"app-firewall.js", "joined.cache", "joined.js"} <= set(before.split())
    assert after == before, run.stderr


def test_no_file_raises_privileges(facts: dict) -> None:
    assert facts["privileged"] == []


def test_tools_for_users_mounts_and_namespaces_are_gone(facts: dict) -> None:
    assert facts["found"] == []


def test_temporary_places_are_noexec_nosuid_nodev(facts: dict) -> None:
    for place in ("/tmp", "/run", "/home/agent"):
        assert {"noexec", "nosuid", "nodev"} <= set(facts["mounts"][place]), place


def test_pid_1_is_an_init(facts: dict) -> None:
    assert facts["init"] in ("docker-init", "tini")


def test_the_image_without_hardening_has_what_was_removed(engine: None) -> None:
    """The control: the base image as it comes."""
    script = "ls /usr/bin/su /usr/bin/mount; find / -xdev -type f -perm /6000"
    base = ["docker", "run", "--rm", "--entrypoint=sh", "node:24-trixie-slim", "-c", script]
    found = finished(base).stdout
    assert "/usr/bin/su" in found and "/usr/bin/passwd" in found


def test_a_fork_bomb_stops_at_the_limit(box: Box) -> None:
    (box.workspace / "bomb.py").write_text(BOMB)

    run = box.shell("pi", "python3 /workspace/bomb.py")

    made, errno = run.stdout.split()
    assert errno == "11"
    assert 100 < int(made) < 150


def test_memory_is_bounded(box: Box) -> None:
    box.put(".config/agentbox/config.toml", '[limits]\nmemory = "256m"\n')
    take = "python3 -c 'print(len(bytearray({} << 20)))'"

    enough, too_much = box.shell("pi", take.format(64)), box.shell("pi", take.format(512))

    assert enough.stdout.strip() == str(64 << 20)
    assert too_much.returncode == 137


def test_no_container_is_left_behind(agent: Agent, box: Box) -> None:
    box.shell(agent.name, "true")
    listed = ["docker", "ps", "--all", "--quiet", f"--filter=label=io.agentbox.workspace={box.workspace}"]
    assert finished(listed).stdout == ""


def test_pi_starts_from_what_was_compiled_and_no_tool_can_write_there(images: Callable[[str], str], box: Box) -> None:
    """The control of each: the same image with an empty folder, and root."""
    image = images("pi")
    folder = "/usr/local/lib/agentbox/compile-cache"
    script = f"file=$(find {folder} -type f -size +100k); echo x >> $file; echo $?; rm -f $file; echo $?"
    told = ["-e", "NODE_DEBUG_NATIVE=COMPILE_CACHE"]
    accepted = "dist/bundle/cli-runtime.js was accepted"
    run = box.run("pi", "--version", options=told)
    assert accepted in run.stdout + run.stderr
    empty = finished(["docker", "run", "--rm", "--network", "none", *told, "--tmpfs", folder, image, "pi", "--version"])
    assert empty.returncode == 0
    assert "compile cache" in empty.stdout + empty.stderr
    assert accepted not in empty.stdout + empty.stderr

    assert box.shell("pi", script).stdout.split() == ["1", "1"]
    plain = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "bash"]
    assert finished([*plain, image, "-c", script]).stdout.split() == ["1", "1"]
    assert finished([*plain, "--user", "root", image, "-c", script]).stdout.split() == ["0", "0"]
