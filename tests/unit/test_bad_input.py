"""Each mistake: one clear line, a hint, the right exit code, and nothing half-made."""

from __future__ import annotations

import errno
import os
import pwd
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentbox import identity, policy, runtimes
from agentbox.cli import root
from agentbox.errors import UsageError

Call = Callable[..., tuple[int, str, str]]


def assert_refused(result: tuple[int, str, str], code: int, *words: str) -> None:
    assert result[0] == code, result
    assert result[1] == ""
    assert "Traceback" not in result[2]
    for word in words:
        assert word in result[2], result[2]


@pytest.fixture(autouse=True)
def nothing_half_made(home: Path):
    yield
    assert not list(home.rglob("run/*"))
    assert not (home / ".pi").exists()


def test_unknown_agent_names_the_nearest(call: Call):
    assert_refused(
        call("run", "claud"), 2, "agentbox: claud: there is no agent of that name", "Hint: did you mean claude?"
    )


def test_unknown_agent_lists_the_agents(call: Call):
    assert_refused(call("run", "xyzzy"), 2, "claude, hermes, opencode, pi")


def test_unknown_command_names_the_nearest(call: Call):
    assert_refused(call("bild"), 2, "Did you mean build?")


def test_words_for_the_agent_without_dashes(call: Call):
    assert_refused(call("run", "pi", "hello"), 2, "hello")


def test_folder_missing(call: Call):
    assert_refused(call("run", "-w", "nowhere"), 2, "agentbox: nowhere: there is no such folder", "Hint:")


def test_folder_is_a_file(call: Call, home: Path):
    (home / "project" / "file").touch()
    assert_refused(call("run", "-w", "file"), 2, "agentbox: file: is not a folder", "Hint:")


def test_folder_of_a_user_that_there_is_not(call: Call):
    assert_refused(call("run", "-w", "~nobody-at-all/x"), 2, "agentbox: ~nobody-at-all/x: ")


LONG = "/" + "x" * 300  # looking at it fails as in a closed folder, for root too


@pytest.mark.parametrize(
    "words", [["run", "--mount", f"{LONG}:ro"], ["config", "-w", LONG], ["verify", "--junit", LONG]]
)
def test_what_cannot_be_looked_at_is_said(call: Call, words: list[str]):
    assert_refused(call(*words), 2, f"{LONG}: File name too long")


def test_a_configuration_that_cannot_be_looked_at_is_said(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", LONG)
    assert_refused(call("config", "check"), 125, f"agentbox: {LONG}/agentbox/config.toml: File name too long")


def test_a_configuration_that_cannot_be_written_is_said(call: Call, home: Path, monkeypatch: pytest.MonkeyPatch):
    def closed(path: object, flags: int, *rest: int) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return opened(path, flags, *rest)

    opened = os.open
    monkeypatch.setattr(os, "open", closed)
    answer = call("allow", "example.org")
    assert_refused(answer, 125, f"agentbox: {home}/.config/agentbox/allowed.toml: Permission denied\n")


@pytest.mark.parametrize("words", [["config"], ["allow", "--here", "example.org"]])
def test_current_folder_is_gone(call: Call, home: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]):
    (home / "gone").mkdir()
    monkeypatch.chdir(home / "gone")
    (home / "gone").rmdir()
    assert_refused(call(*words), 2, "agentbox: .: there is no such folder")


def test_an_error_that_names_no_file_keeps_its_traceback(call: Call, monkeypatch: pytest.MonkeyPatch):
    def unnamed(**_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(root, "main", unnamed)
    with pytest.raises(OSError, match="Bad file descriptor"):
        call("agents")


@pytest.mark.parametrize("folder", ["/", "~", "..", "/nonexistent/.."])
def test_root_and_home_and_above_are_refused(call: Call, folder: str, home: Path):
    code, _, err = call("run", "-w", folder)
    assert code == 2
    assert "--allow-home" in err or "no such folder" in err


def test_parent_of_home_through_a_symlink_is_refused(call: Call, home: Path):
    (home / "project" / "up").symlink_to(home.parent)
    assert_refused(call("run", "-w", "up"), 2, "--allow-home")


def test_state_of_another_agent_as_folder_is_refused(call: Call, home: Path):
    (home / ".claude" / "projects").mkdir(parents=True)
    assert_refused(call("run", "pi", "-w", str(home / ".claude" / "projects")), 2, "must not reach")


def test_the_agents_own_programs_as_folder_are_refused(call: Call, home: Path):
    """The native engine starts what lies there."""
    (home / ".cache/agentbox/pi").mkdir(parents=True)
    assert_refused(call("run", "pi", "-w", str(home / ".cache/agentbox/pi")), 2, "must not reach")
    assert_refused(call("run", "pi", "-w", str(home / ".cache")), 2, "must not reach")


def test_folder_that_holds_a_state_is_refused(call: Call, home: Path):
    (home / ".config").mkdir()
    assert_refused(call("run", "--mount", f"{home}/.config:ro"), 2, "must not reach")
    assert_refused(call("run", "--mount", f"{home}/.config:rx"), 2, "'rx' is neither ro nor rw")


def test_folder_with_a_forged_message_stays_on_one_line(call: Call):
    code, _, err = call("run", "-w", "a\nagentbox: all is well")
    assert code == 2
    assert len(err.splitlines()) == 2


def test_broken_toml_names_file_and_line(call: Call, home: Path):
    config = home / ".config" / "agentbox" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[limits]\npids = = 3\n")
    assert_refused(call("run"), 2, f"agentbox: {config}:2: not valid TOML")


@pytest.mark.parametrize(
    "text", ["a=" + "[" * 50_000, "a=" + "9" * 6_000, '[limits]\n"x\\u001b]0;pwn\\u0007" = 1\n', None]
)
def test_hostile_workspace_file_is_refused_without_steering_the_terminal(call: Call, home: Path, text: str | None):
    file = Path(".agentbox.toml")
    if text is None:
        file.mkdir()
    else:
        file.write_text(text)
    answer = call("run")
    assert_refused(answer, 2, ".agentbox.toml")
    assert "\x1b" not in answer[2]
    assert "\x07" not in answer[2]


def test_unknown_key_names_the_nearest(call: Call, home: Path):
    config = home / ".config" / "agentbox" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[limits]\npids = 99\nmemroy = "1g"\n')
    assert_refused(call("run"), 2, f"{config}:3: limits.memroy is not a known key", "Hint: did you mean limits.memory?")
    config.write_text("[limts]\npids = 200\n")
    assert_refused(call("run"), 2, f"{config}:1: limts is not a known key", "Hint: did you mean limits?")


def test_root_without_host_uid(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HOST_UID")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert_refused(call("run"), 2, "agentbox: UID 0: an agent never runs as root", "Hint: set HOST_UID")


def test_a_user_without_home_and_entry(call: Call, monkeypatch: pytest.MonkeyPatch):
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert call("--version")[::2] == (0, "")
    assert_refused(call("run"), 2, "agentbox: HOME: is not set")


def test_host_uid_zero(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOST_UID", "0")
    assert_refused(call("run"), 2, "an agent never runs as root")


def test_host_uid_that_is_no_number(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOST_UID", "me")
    assert_refused(call("run"), 2, "agentbox: HOST_UID: 'me' is not a user or group number")


def test_paranoid_mode_that_is_neither(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARANOID_MODE", "maybe")
    assert_refused(call("run"), 2, "PARANOID_MODE")


def test_unset_variable_by_name(call: Call):
    assert_refused(call("run", "-e", "NOT_SET_ANYWHERE"), 2, "is not set", "Hint:")


def test_variable_without_a_name(call: Call):
    assert_refused(call("run", "-e", "=x"), 2, "agentbox: -e =x: ", "Hint: write -e NAME=VALUE")


def test_dashboard_of_an_agent_without(call: Call):
    assert_refused(call("run", "pi", "--dashboard"), 2, "has no dashboard")


@pytest.mark.parametrize(
    ("host", "cause"), [("127.0.0.1:1", "Connection refused"), ("engine.invalid:2375", "[Nn]ame|resolution")]
)
def test_an_engine_elsewhere_that_is_not_there(call: Call, monkeypatch: pytest.MonkeyPatch, host: str, cause: str):
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{host}")
    code, _, err = call("run", "--engine", "docker")
    assert code == 125
    assert re.fullmatch(f"agentbox: engine: cannot be reached at tcp://{host}: [^:]*({cause})[^:]*\nHint: .*\n", err)
    assert call("ps", "--json")[:2] == (0, "[]\n")


def test_what_the_native_broker_could_not_use_ends_the_start(home: Path, monkeypatch: pytest.MonkeyPatch):
    def start() -> None:
        runtimes.Native(identity.current(), print).prepare(policy.load("pi"), identity.current(), print, rebuild=False)

    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", __file__)
    with pytest.raises(UsageError, match=f"NODE_EXTRA_CA_CERTS {__file__}: holds no PEM certificate"):
        start()
    monkeypatch.delenv("NODE_EXTRA_CA_CERTS")
    for proxy in ("http://me:pw@[x", "http://", "http://me:pw/2@proxy:3128"):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(UsageError, match=r"^HTTPS_PROXY: is no address of a proxy$"):
            start()


def test_version_of_nonsense(call: Call):
    for words in ("pi", "0.87.1", "pi=x y"):
        assert_refused(call("run", "--version-of", words), 2, f"--version-of {words}: is not AGENT=VERSION", "Hint:")


def test_version_of_an_agent_that_does_not_run(call: Call, home: Path):
    assert_refused(call("run", "pi", "--version-of", "claude=1.0.0"), 2, "--version-of claude: this is a run of pi")
    assert "1.0.0" not in call("agents")[1]


def test_docker_not_installed(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert_refused(call("run", "--engine", "docker"), 125, "agentbox: docker: is not installed", "Hint: install")


def test_engine_without_socket(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, docker):
    docker("exit 1")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert_refused(
        call("run", "--engine", "docker"), 125, "agentbox: engine: is not running: there is no", "Hint: start it"
    )


def test_engine_that_is_down(call: Call, engine, docker):
    docker("exit 1")
    engine.server.shutdown()
    engine.server.server_close()
    assert_refused(call("run", "--engine", "docker"), 125, "nobody listens", "Hint: start it")


def test_no_permission_on_the_socket(call: Call, monkeypatch: pytest.MonkeyPatch):
    import socket

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert_refused(
        call("run", "--engine", "docker"),
        125,
        "no permission on /var/run/docker.sock",
        "Hint: add yourself to the group docker",
    )


@pytest.mark.parametrize(
    "message", ["docker: 'compose' is not a docker command.", "docker: unknown command: docker compose"]
)
def test_only_compose_v1(call: Call, engine, docker, message: str):
    out = docker(f'echo "{message}" >&2; exit 1')
    v1 = out.parent / "bin" / "docker-compose"
    v1.write_text("#!/bin/sh\n")
    v1.chmod(0o755)
    assert_refused(call("run"), 125, "only Compose v1", "Hint: install Compose v2")


def test_build_failure_shows_the_last_lines_and_the_log(call: Call, engine, docker, home: Path):
    docker("for i in $(seq 40); do echo line $i; done; exit 17")
    result = call("build", "pi")
    assert_refused(result, 125, "line 40", "line 21", "the whole log is")
    assert "line 20\n" not in result[2]
    log = next(home.rglob("build-*.log"))
    assert "line 1\n" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("line", "hinted"), [("SSL: certificate verify failed", True), ("apt-get install ca-certificates: no space", False)]
)
def test_a_proxys_certificate_is_hinted_at_where_it_was_the_cause(call: Call, engine, docker, line: str, hinted: bool):
    docker(f"echo '#5 {line}'; exit 1")
    assert ("--ca-bundle" in call("build", "pi")[2]) == hinted


BESIDE = "#6 [claude 2/5] RUN y\\n#5 [pi 2/5] RUN npm\\n#5 1.2 npm says why\\n#6 1.3 of another image\\n#5 ERROR: exit code 7\\n"


def test_a_failing_step_is_shown_at_once_and_alone(call: Call, engine, docker, home: Path):
    out = docker(f'printf "{BESIDE}"; sleep 20 & wait; echo late >"$OUT"')
    result = call("build", "pi", "claude")
    assert_refused(result, 125, "the build failed", "npm says why", "exit code 7")
    assert "another image" not in result[2].partition("the build failed")[2]
    assert "of another image" in next(home.rglob("build-*.log")).read_text()
    assert not out.exists(), "it waited for the other image"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_build_says_so_and_leaves_nothing(engine, docker, tmp_path: Path, monkeypatch, number: int):
    out = docker('printf "#5 [pi 2/5] RUN npm\\n"; echo $$ >"$OUT.part"; mv "$OUT.part" "$OUT"; exec sleep 60')
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    words = ["env", "--default-signal=INT,TERM,HUP", sys.executable, "-m", "agentbox", "build", "pi"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not out.exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        said, err = process.communicate()
    assert (process.returncode, said) == (130, "")
    assert not list(tmp_path.glob("agentbox-build-*"))
    assert not Path("/proc", out.read_text().strip()).exists()
    assert "agentbox: build: interrupted\n" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "name"),
    [(["init", "--user"], "config.toml"), (["init"], ".agentbox.toml"), (["allow", "x.org"], "allowed.toml")],
)
def test_a_file_that_the_disk_does_not_take_leaves_nothing_half_written(home: Path, words: list[str], name: str):
    def no_room() -> None:  # as where a disk is full, for everything but pipes
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    command = [sys.executable, "-m", "agentbox", *words]
    done = subprocess.run(command, preexec_fn=no_room, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.endswith(f"{name}: File too large\n")
    assert done.stderr.startswith("agentbox: ")
    assert not [path for path in home.rglob("*") if name in path.name]
    # The control: with room, it is written.
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert [path for path in home.rglob("*") if name in path.name]


def test_disk_full(call: Call, engine, docker):
    docker("echo 'failed to solve: write /x: no space left on device'; exit 1")
    assert_refused(call("build", "pi"), 125, "the disk is full", "Hint: docker system prune")


@pytest.mark.parametrize(("words", "hinted"), [(["-p", "hi"], True), (["say hi"], True), (["--mont", "x"], False)])
def test_words_before_the_dashes_that_are_the_agents(call: Call, home: Path, words: list[str], hinted: bool):
    code, _, err = call("run", "pi", *words)
    assert (code, "comes after --" in err) == (2, hinted)
