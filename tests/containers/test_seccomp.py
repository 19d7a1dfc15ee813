"""The seccomp profile: in sync with its table, and each refusal seen from inside a container."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from boxes import finished

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TABLE = tomllib.loads((ROOT / "containers/seccomp.toml").read_text())
PROFILE = json.loads((ROOT / "containers/seccomp.json").read_text())
REFUSED = [name for group in TABLE["refuse"] for name in group["names"]]
EPERM, ENOSYS, SIGSYS = 1, 38, 31

# Calls that anybody may make where no profile is in force: for these the control must come out differently.
OPEN_TO_ALL = (
    *("io_uring_setup", "clone3", "unshare", "open_tree", "name_to_handle_at", "keyctl", "add_key", "request_key"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp"),
    *("vmsplice", "get_mempolicy"),
)


def test_the_json_is_what_the_table_says() -> None:
    check = finished([sys.executable, f"{ROOT}/tools/render_seccomp.py", "--check"])
    assert check.returncode == 0, check.stderr


def call(image: str, profile: str) -> dict[str, int]:
    """syscalls.py's report: name to errno (0: it worked). Without the vault, which wraps some of these calls itself."""
    command = ["docker", "run", "--rm", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--entrypoint=python3"]
    command += [f"--security-opt=seccomp={profile}", f"--volume={HERE / 'syscalls.py'}:/syscalls.py:ro", "--tmpfs=/tmp"]
    command += ["--volume=/dev/null:/etc/ld.so.preload:ro"]
    run = finished([*command, image, "/syscalls.py", *REFUSED])
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


@pytest.fixture(scope="module")
def ours(images: Callable[[str], str]) -> dict[str, int]:
    return call(images("pi"), str(ROOT / "containers/seccomp.json"))


@pytest.fixture(scope="module")
def unconfined(images: Callable[[str], str]) -> dict[str, int]:
    return call(images("pi"), "unconfined")


def test_every_refused_call_fails(ours: dict[str, int]) -> None:
    allowed = {name: errno for name, errno in ours.items() if name in REFUSED and errno not in (EPERM, ENOSYS)}
    assert allowed == {}
    assert ours["clone3"] == ENOSYS


@pytest.mark.parametrize("name", OPEN_TO_ALL)
def test_without_the_profile_the_call_gets_through(name: str, ours: dict[str, int], unconfined: dict[str, int]) -> None:
    assert ours[name] in (EPERM, ENOSYS)
    assert unconfined[name] not in (EPERM, ENOSYS)


@pytest.mark.parametrize(
    "name", ["socket AF_ALG", "socket AF_VSOCK", "personality ADDR_NO_RANDOMIZE", "prlimit64 of another"]
)
def test_arguments_are_filtered(name: str, ours: dict[str, int], unconfined: dict[str, int]) -> None:
    assert ours[name] == EPERM
    assert unconfined[name] != EPERM


TYPING = ("ioctl TIOCSTI", "ioctl TIOCSTI with upper bits", "ioctl TIOCLINUX", "ioctl TIOCNXCL")


@pytest.mark.parametrize("name", TYPING)
def test_nothing_types_into_a_terminal_or_opens_it_to_others(
    name: str, ours: dict[str, int], unconfined: dict[str, int]
) -> None:
    assert ours[name] == EPERM
    assert unconfined[name] != EPERM  # 0; EIO where the machine has dev.tty.legacy_tiocsti=0; ENOTTY on a pty


def test_other_requests_to_a_terminal_get_the_kernels_answer(ours: dict[str, int], unconfined: dict[str, int]) -> None:
    asked = [name for name in ours if name.startswith("ioctl ") and name not in TYPING]
    assert len(asked) > 5
    assert {name: ours[name] for name in asked} == {name: unconfined[name] for name in asked}
    assert ours["ioctl TCGETS"] == ours["ioctl TIOCGWINSZ"] == 0


def test_every_request_but_those_three_is_let_through() -> None:
    refused = {0x5412, 0x541C, 0x540D}
    rules = [rule["args"] for rule in PROFILE["syscalls"] if rule["names"] == ["ioctl"]]
    assert all(len(args) == 1 and args[0]["op"] == "SCMP_CMP_MASKED_EQ" for args in rules)

    def allowed(request: int) -> bool:
        return any(request & args[0]["value"] == args[0]["valueTwo"] for args in rules)

    near = {typing ^ change for typing in refused for change in (*range(32), *(1 << bit for bit in range(32)))}
    assert {request for request in (*near, *range(0x10000)) if not allowed(request)} == refused
    assert not allowed(0xDEADBEEF00005412)


def test_namespaces_cannot_be_cloned(ours: dict[str, int]) -> None:
    assert ours["clone CLONE_NEWUSER"] == EPERM


NEEDED = (
    *("landlock_create_ruleset", "socket AF_INET", "personality query", "clone"),
    *("prlimit64 of its own", "prlimit64 of another, a question"),
)


@pytest.mark.parametrize("name", NEEDED)
def test_what_agents_need_is_allowed(name: str, ours: dict[str, int]) -> None:
    assert ours[name] == 0


def test_the_x32_abi_kills(ours: dict[str, int]) -> None:
    assert ours["x32 getpid"] in (-SIGSYS, ENOSYS)
