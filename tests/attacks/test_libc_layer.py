"""The libc layer alone: Landlock's calls are made to fail, as on a kernel without it, and PARANOID_MODE is false.

A guard-rail, not a boundary: what is strict xfail here stays open without Landlock, and docs/threat-model.md says so.
"""

from __future__ import annotations

import pytest
from fast import slow_but
from test_matrix import ATTACKS
from vault_world import SECRET, STATE, World

pytestmark = [pytest.mark.vault, pytest.mark.usefixtures("fresh")]

OPEN_WITHOUT_LANDLOCK = {
    "read_uring": "io_uring opens the file inside the kernel",
    "memfd_static_reader": "a static program has no preload",
    "run_static": "a static program has no preload",
    "read_dlmopen": "a second libc in its own namespace is not interposed",
    "plant_new_file": "only the kernel closes a directory to new names",
    "send_signal": "signals are not interposed",
    "send_signal_to_thread": "signals are not interposed",
    "abstract_socket": "sockets are not interposed",
    "spoof_agent": "a tool that sets the marker and starts the agent's own executable is taken for the agent",
}


@pytest.mark.parametrize("start", slow_but(["execvp"], ["execvp", "posix_spawn"]))
@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_without_landlock(
    worlds: dict[str, World], request: pytest.FixtureRequest, attack: str, start: str
) -> None:
    if attack in OPEN_WITHOUT_LANDLOCK:
        request.applymarker(pytest.mark.xfail(reason=OPEN_WITHOUT_LANDLOCK[attack], strict=True))
    environment = {"SECRET_TOKEN": SECRET, "PARANOID_MODE": "false"}
    done = worlds["vault"].run("./agent", start, "./attack", attack, launch=True, landlock=False, env=environment)
    assert SECRET not in done.stdout
    assert done.returncode not in (0, 2, 125), done.stdout + done.stderr
    assert "credential is gone" not in done.stderr


PROGRAMS = {
    "cat": "cat /mnt/agent/auth.json",
    "cat after cd": "cd /mnt/agent; cat auth.json",
    "dd": "dd if=/mnt/agent/auth.json 2>&1",
    "tar": "tar cf - -C /mnt agent/auth.json",
    "grep -r": "grep -r sk- /mnt/agent",
    "cp": "cp /mnt/agent/auth.json copied; cat copied",
    "cp of the directory": "cp -r /mnt/agent copied; cat copied/auth.json",
    "mv": "mv /mnt/agent/auth.json moved; cat moved",
    "ln": "ln /mnt/agent/auth.json /mnt/agent/sessions/h; cat /mnt/agent/sessions/h",
    "ln -s": "ln -s /mnt/agent s; cat s/auth.json",
    "install": "install /mnt/agent/auth.json installed; cat installed",
    "sh redirection": 'while read -r line || [ -n "$line" ]; do echo $line; done < /mnt/agent/auth.json',
    "bash mapfile": "bash -c 'echo \"$(< /mnt/agent/auth.json)\"'",
    "perl": "perl -pe 1 /mnt/agent/auth.json",
    "python": "/usr/bin/python3 -c 'print(open(\"/mnt/agent/auth.json\").read())'",
    "git diff": "git diff --no-index /dev/null /mnt/agent/auth.json",
    "git hash-object": "git init -q g; cd g; git cat-file -p $(git hash-object -w /mnt/agent/auth.json)",
    "sort": "sort /mnt/agent/auth.json",
    "awk": "awk 1 /mnt/agent/auth.json",
    "sed": "sed '' /mnt/agent/auth.json",
    "od": "od -c /mnt/agent/auth.json | tr -d ' \\n'; base64 -w0 /mnt/agent/auth.json | base64 -d",
    "diff": "diff /dev/null /mnt/agent/auth.json",
    "find -exec": "find /mnt/agent -name 'auth*' -exec cat {} ';'",
    "xargs": "ls -d /mnt/agent/* | xargs cat",
    "glob": "cat /mnt/agent/*",
    "source": ". /mnt/agent/auth.json",
    "gcc include": "echo '#include \"/mnt/agent/auth.json\"' > i.c; cc -E i.c",
    "sqlite readfile": "/usr/bin/python3 -c 'import os; print(os.read(os.open(\"/mnt/agent/auth.json\", os.O_RDONLY), 99))'",
}


@pytest.mark.parametrize("landlock", [True, False], ids=["landlock", "libc"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_ordinary_program_does_not_read_it(worlds: dict[str, World], program: str, landlock: bool) -> None:
    script = f"rm -rf job; mkdir job; cd job; {PROGRAMS[program]}"
    control = worlds["control"].run("./agent", "execv", "/bin/sh", "-c", script)
    assert SECRET in control.stdout + control.stderr, control.stderr
    environment = {} if landlock else {"PARANOID_MODE": "false"}
    done = worlds["vault"].run(
        "./agent", "execv", "/bin/sh", "-c", script, launch=True, landlock=landlock, env=environment
    )
    assert SECRET not in done.stdout + done.stderr
    assert "ermission denied" in done.stderr + done.stdout, done.stderr


@pytest.mark.parametrize("landlock", [True, False], ids=["landlock", "libc"])
def test_a_denied_directory_shows_its_names_and_nothing_of_its_files(worlds: dict[str, World], landlock: bool) -> None:
    """opendir and scandir are not refused: a name is no secret, as docs/threat-model.md says."""
    code = f"import os; d = '{STATE}/private/'; print([e.name for e in os.scandir(d)]); print(open(d + 'key').read())"
    argv = "./agent", "execv", "/usr/bin/python3", "-c", code
    control = worlds["control"].run(*argv)
    assert ("['key']" in control.stdout, SECRET in control.stdout) == (True, True), control.stderr
    environment = {} if landlock else {"PARANOID_MODE": "false"}
    done = worlds["vault"].run(*argv, launch=True, landlock=landlock, env=environment)
    assert ("['key']" in done.stdout, SECRET in done.stdout) == (True, False)
    assert "Permission denied" in done.stderr
