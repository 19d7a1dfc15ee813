"""The command line as a whole: help, laziness, completion, lists, stopping."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentbox import identity, owner
from agentbox.cli import COMMANDS, root
from agentbox.engine import Engine, find_docker

HEAVY = ("cryptography", "docker", "keyring", "psutil", "rich", "yaml", "requests")


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["run", "--help"], ["completion", "bash"]])
def test_help_imports_nothing_heavy(args: list[str]):
    program = (
        "import sys\nsys.argv = ['agentbox', *sys.argv[1:]]\nfrom agentbox.cli import main\n"
        f"try: main()\nexcept SystemExit as end: code = end.code\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules], code)"
    )
    done = subprocess.run([sys.executable, "-c", program, *args], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY [] 0"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_begins_like_the_list(call, name: str):
    code, out, _ = call(name, "--help")
    assert code == 0
    assert out.startswith("Usage: agentbox " + name)


def test_commands_match_their_names():
    for name in COMMANDS:
        command = root.get_command(None, name)
        assert command is not None
        assert command.name == name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(call, shell: str):
    code, out, _ = call("completion", shell)
    assert code == 0
    assert "_AGENTBOX_COMPLETE" in out


@pytest.mark.parametrize(
    "words",
    [["--help"], ["run", "--help"], ["verify", "--list"], ["config", "schema"], ["agents"], ["completion", "zsh"]],
)
def test_a_reader_that_is_gone_ends_it_quietly(home, words: list[str]):
    """As `| head -1` is, once it has its line."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "agentbox", *words]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
    # The control: to somebody who reads, the same says something.
    read = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (read.returncode, read.stdout != "", read.stderr) == (0, True, "")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["agents"], ["config"], ["verify", "--list"]])
def test_output_that_no_disk_takes_is_one_line(home, words: list[str]):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "agentbox", *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 125
    assert re.fullmatch("agentbox: (standard output|writing): No space left on device\nHint: df .*\n", done.stderr)


@pytest.mark.parametrize(("words", "code"), [(["nope"], 2), (["config", "nope"], 2), (["agents"], 0)])
def test_errors_that_no_disk_takes_change_no_exit_code(home, words: list[str], code: int):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "agentbox", *words], stdout=subprocess.PIPE, stderr=full, check=False
        )
    assert done.returncode == code


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_descriptors_are_never_a_file_of_ours(home, closed: tuple[int, ...]):
    shut = " ".join(f"{fd}>&-" for fd in closed)
    command = ["sh", "-c", f'exec "$@" {shut}', "sh", sys.executable, "-m", "agentbox", "allow", "example.org"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == ("" if 2 in closed else "example.org for all agents\n")
    assert (home / ".config/agentbox/allowed.toml").read_text().endswith('host = "example.org"\n')


@pytest.mark.parametrize(("encoding", "shown"), [("latin-1", "/\\u65e5\\u672c"), ("utf-8", "/日本")])
def test_letters_that_the_output_does_not_have_are_written_out(home: Path, encoding: str, shown: str):
    (home / "project/日本").mkdir()
    command = [sys.executable, "-m", "agentbox", "compose", "-w", "日本"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True, encoding=encoding, check=False)
    assert (done.returncode, shown in done.stdout, "Traceback" in done.stderr) == (0, True, False), done.stderr


def test_a_broken_pipe_that_is_not_our_output_is_no_quiet_end(call, monkeypatch: pytest.MonkeyPatch):
    def elsewhere(**_: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "an engine's socket")

    monkeypatch.setattr(root, "main", elsewhere)
    with pytest.raises(BrokenPipeError):
        call("agents")


def test_agents_lists_all_four(call):
    code, out, _ = call("agents", "--json")
    assert code == 0
    assert [row["agent"] for row in json.loads(out)] == ["claude", "hermes", "opencode", "pi"]


CONTAINER = {
    "Names": ["/agentbox-pi-1"], "Id": "1", "State": "running", "Status": "Up 2 seconds", "Created": 1,
    "Image": "local/dev-pi",
    "Labels": {"io.agentbox.agent": "pi", "io.agentbox.workspace": "/w", "io.agentbox.owner": "1:1:elsewhere"},
}  # fmt: skip


def test_ps_lists_containers(call, engine):
    engine.answers["GET /containers/json"] = (200, [CONTAINER])
    code, out, _ = call("ps", "--json")
    assert code == 0
    assert json.loads(out)[0]["workspace"] == "/w"
    assert "agentbox-pi-1" in call("ps")[1]


def test_stop_by_agent(call, engine):
    engine.answers["GET /containers/json"] = (200, [CONTAINER])
    engine.answers["POST /containers/agentbox-pi-1/stop"] = (204, b"")
    assert call("stop", "pi")[:2] == (0, "agentbox-pi-1\n")
    assert any(line.startswith("POST /containers/agentbox-pi-1/stop?t=10") for line in engine.asked)


@pytest.fixture
def native(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A native session of pi, as far as its record tells; the process ends when it is stopped."""
    with subprocess.Popen(["sleep", "60"]) as process:
        threading.Thread(target=process.wait).start()
        folder = owner.run_root(identity.current()) / "aa11"
        folder.mkdir(parents=True)
        (folder / "owner").write_text(owner.current())
        known = {"name": "agentbox-pi-aa11", "agent": "pi", "workspace": "/w", "binds": [], "started": 1}
        (folder / "session.json").write_text(json.dumps({**known, "pid": process.pid}))
        yield process
        process.kill()


def test_stop_means_native_sessions_and_containers(call, engine, native):
    engine.answers["GET /containers/json"] = (200, [CONTAINER])
    engine.answers["POST /containers/agentbox-pi-1/stop"] = (204, b"")
    assert call("stop", "pi")[:2] == (0, "agentbox-pi-aa11\nagentbox-pi-1\n")
    assert native.wait() == -signal.SIGTERM


def test_logs_of_a_container_beside_a_native_session(call, engine, native, monkeypatch):
    monkeypatch.setattr(Engine, "logs", lambda self, name, **_: iter([f"{name} speaks\n".encode()]))
    engine.answers["GET /containers/json"] = (200, [CONTAINER])
    assert call("logs", "pi")[:2] == (0, "agentbox-pi-1 speaks\n")
    engine.answers["GET /containers/json"] = (200, [])
    for words in (["logs", "pi"], ["logs"]):
        code, _, err = call(*words)
        assert (code, "a native session writes to the terminal" in err) == (2, True), err


def test_stop_needs_a_name(call, engine):
    assert call("stop")[0] == 2


def test_stop_and_logs_of_nothing(call, engine):
    engine.answers["GET /containers/json"] = (200, [])
    for args in (["stop", "pi"], ["logs", "pi"]):
        code, _, err = call(*args)
        assert code == 2
        assert "nothing of that name is running" in err


def test_logs_of_nothing_at_all(call, engine):
    engine.answers["GET /containers/json"] = (200, [])
    code, _, err = call("logs")
    assert (code, "containers: none of yours is running" in err) == (2, True), err


def test_another_users_container_is_left_alone(call, engine):
    """The engine is asked for the labels of one's own."""
    engine.answers["GET /containers/json"] = (200, [CONTAINER])
    for args in (["ps"], ["logs", "pi"], ["stop", "--all"]):
        engine.asked.clear()
        call(*args)
        assert any("io.agentbox.user%3Ddev" in line for line in engine.asked if "/containers/json" in line), (
            engine.asked
        )


def test_without_an_engine_there_is_nothing_to_list(call, home, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    for args, expected in (
        (["ps", "--json"], 0),
        (["stop", "--all"], 0),
        (["purge", "-y"], 0),
        (["clean"], 0),
        (["stop", "pi"], 2),
        (["logs"], 2),
        (["logs", "pi"], 2),
    ):
        code, out, err = call(*args)
        assert (code, "is not running" in err or "not installed" in err) == (expected, True), (args, out, err)
    assert call("ps", "--json")[1] == "[]\n"
    assert ("images, if it has any, stay" in call("purge")[2]) == bool(find_docker())


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("*", "--network open"),
        ("https://crates.io/x", "agentbox allow crates.io"),
        ("https://crates.io?x", "agentbox allow crates.io"),
        ("https://[x", "is an address of the web"),
    ],
)
def test_allow_names_what_was_meant(call, home, host, hint):
    code, _, err = call("allow", host)
    assert code == 2
    assert hint in err
    assert "crates.io" not in call("allow")[1]


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("localhost", "agentbox allow host.docker.internal:PORT"),
        ("localhost:3000", "agentbox allow host.docker.internal:3000"),
        ("app.localhost", "is the sandbox's own loopback"),
        ("127.0.0.1:5432", "agentbox allow host.docker.internal:5432"),
        ("[::1]", "agentbox allow host.docker.internal:PORT"),
        ("169.254.169.254", "is a link-local address"),
    ],
)
def test_allow_keeps_nothing_that_has_no_effect(call, home, host: str, hint: str):
    code, _, err = call("allow", host)
    assert (code, hint in err) == (2, True), err
    assert host not in call("allow")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gitlab"], True),
        (["git.corp:8443"], True),
        (["git.corp", "--private"], False),
        (["10.0.0.5"], False),  # whoever names an address means it
        (["host.docker.internal:3000"], False),
        (["crates.io"], False),
    ],
)
def test_allow_says_of_private_names_what_they_need(call, home, words: list[str], said: bool):
    code, _, err = call("allow", *words)
    assert (code, "without --private" in err) == (0, said)


ALLOWED = ("x.org for all agents", "x.org for pi", "x.org for pi in {}", "y.org for all agents")


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        (["x.org"], ALLOWED[:3]),
        (["x.org", "--agent", "pi"], ALLOWED[1:3]),
        (["x.org", "--here"], ALLOWED[2:3]),
        (["x.org", "--here", "--agent", "claude"], ()),
        (["z.org"], ()),
        ([], ()),
    ],
)
def test_allow_takes_back_what_is_named_and_says_so(call, home, words: list[str], gone: tuple[str, ...]):
    for each in (["x.org"], ["x.org", "--agent", "pi"], ["x.org", "--agent", "pi", "--here"], ["y.org"]):
        assert call("allow", *each)[0] == 0
    code, _, err = call("allow", "--remove", *words)
    assert code == (0 if gone else 2), err
    if gone:
        assert err == "".join(f"no longer {line}\n" for line in gone).format(home / "project")
    assert len(call("allow")[1].splitlines()) == 1 + len(ALLOWED) - len(gone)


def test_allow_takes_a_host_back_however_it_is_written(call, home):
    assert call("allow", "Example.COM", "Other.example:443")[0] == 0
    assert call("allow", "--remove", "example.com")[2] == "no longer Example.COM for all agents\n"
    assert call("allow", "--remove", "other.example:443")[0] == 0
    assert call("allow", "--remove", "not a host")[0] == 2


def test_hosts_that_are_allowed_at_once_are_all_kept(call, home):
    names = [f"{number}.example" for number in range(8)]
    command = [sys.executable, "-m", "agentbox", "allow"]
    for process in [subprocess.Popen([*command, name]) for name in names]:
        assert process.wait() == 0
    assert [name for name in names if name in call("allow")[1]] == names


def test_purge_asks_before_it_removes_state(call, engine, home):
    engine.answers["GET /containers/json"] = (200, [])
    engine.answers["GET /images/json"] = (200, [{"RepoTags": ["local/dev-pi:latest", "local/other-pi:latest"]}])
    engine.answers["DELETE /images/local/dev-pi%3Alatest"] = (200, [])
    (home / ".pi").mkdir()
    code, _, err = call("purge", "--state")
    assert code == 130
    assert str(home / ".pi") in err
    assert (home / ".pi").is_dir()
    assert not any(line.startswith("DELETE") for line in engine.asked)
    code, out, _ = call("purge", "--state", "--yes")
    assert code == 0
    assert not (home / ".pi").exists()
    assert "local/other-pi" not in out


def test_purge_removes_a_link_with_what_it_leads_to(call, home, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "kept/agent").mkdir(parents=True)
    (home / ".pi").symlink_to(tmp_path / "kept")
    shown = f"{home / '.pi'} -> {tmp_path / 'kept'}\n"
    assert shown in call("purge", "--state")[2]
    assert call("purge", "--state", "-y")[:2] == (0, shown)
    assert not (home / ".pi").is_symlink()
    assert not (tmp_path / "kept").exists()


def test_purge_names_what_it_may_not_remove_and_removes_the_rest(call, home, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    for name in (".claude/projects/foreign", ".claude/projects/own", ".pi/agent/own"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("")
    unlink = os.unlink

    def refuse(path: str, **words: Any) -> None:  # as for a file in a folder of root's
        if path == "foreign":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        unlink(path, **words)

    monkeypatch.setattr(os, "unlink", refuse)
    code, out, err = call("purge", "--state", "-y")
    place = home / ".claude/projects"
    assert (code, err) == (125, f"agentbox: {place}/foreign: cannot be removed: Permission denied\n"), err
    assert [path.name for path in place.iterdir()] == ["foreign"]
    assert not (home / ".pi").exists()
    assert out == f"{home / '.pi'}\n"


def test_engine_error_is_shown_in_its_own_words(call, engine):
    engine.answers["GET /containers/json"] = (500, {"message": "it is on fire"})
    assert call("ps")[0] == 125
    assert "it is on fire" in call("ps")[2]


@pytest.mark.parametrize("words", [["-m", "agentbox"], ["-c", "from agentbox.cli import main; main()"]])
def test_a_ctrl_c_while_the_modules_load_is_no_traceback(tmp_path: Path, words: list[str]):
    """The second is the control: main alone cannot catch what comes before it."""
    (tmp_path / "click.py").write_text("import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(5)")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    done = subprocess.run(
        [sys.executable, *words], env=environment, cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGINT
    assert ("Traceback" in done.stderr) == (words[0] == "-c")
