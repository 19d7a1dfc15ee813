"""Colours, widths, --quiet and escaping, on a real terminal (a pty) and in a pipe."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from agentbox import audit, identity
from agentbox.cli import COMMANDS, root

CODES = re.compile(r"\x1b\[[0-9;]*m")
COMMAND = "agentbox allow a-host-with-a-long-name.sub.sub.sub.sub.example.org"
HOST = COMMAND.rpartition(" ")[2]
WIDTHS = (40, 80, 200)


def on_terminal(*words: str, columns: int = 80, **variables: str) -> str:
    """What the command prints to a terminal of that width."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    env = {**kept, "TERM": "xterm-256color", **variables}
    command = [sys.executable, "-m", "agentbox", *words]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True) as process:
        os.close(slave)
        found = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # the last one closed it
                break
            if not chunk:
                break
            found += chunk
        process.wait(60)
    os.close(master)
    return found.decode().replace("\r\n", "\n")


def in_pipe(*words: str, **variables: str) -> str:
    env = {**{name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}, **variables}
    command = [sys.executable, "-m", "agentbox", *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False).stdout


@pytest.fixture
def denied(home: Path) -> audit.Records:
    """A run in which a host with a long name was refused."""
    records = audit.begin(identity.current(), "pi", "1", "/src")
    line = {
        "verdict": "deny",
        "host": HOST,
        "port": 443,
        "method": "CONNECT",
        "remedy": HOST,
        "reason": f"{HOST} is not allowed",
    }
    (records.egress / "audit.jsonl").write_text(json.dumps(line) + "\n")
    return records


COLOURED = ["audit", "agents"]


@pytest.mark.parametrize("name", COLOURED)
def test_a_terminal_gets_colours_and_a_pipe_none(denied, name):
    assert CODES.search(on_terminal(name))
    assert not CODES.search(in_pipe(name))


@pytest.mark.parametrize("name", COLOURED)
@pytest.mark.parametrize(
    "variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}]
)
def test_a_terminal_without_colours_gets_no_escape_at_all(denied, name, variables):
    assert "\x1b" not in on_terminal(name, **variables)


def test_force_color_colours_a_pipe_and_no_color_wins(denied):
    coloured = in_pipe("audit", FORCE_COLOR="1")
    assert CODES.search(coloured)
    assert CODES.sub("", coloured) == in_pipe("audit")
    assert not CODES.search(in_pipe("audit", FORCE_COLOR="1", NO_COLOR="1"))
    assert not CODES.search(in_pipe("audit", FORCE_COLOR="0"))


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", ["audit", "agents"])
def test_lines_fit_the_terminal_and_lose_nothing(denied, name, columns):
    shown = CODES.sub("", on_terminal(name, columns=columns))
    folded = re.sub(r"\s+", "", shown)
    lines = [line for line in shown.splitlines() if COMMAND not in line]  # which is one line, to be copied
    assert max(map(len, lines)) <= columns
    if name == "audit":
        assert COMMAND in shown
        assert folded.count(HOST) >= 3
    else:
        # A cell is folded within its column, so its pieces are not next to each other.
        for word in ("opencode-ai", "hermes-agent", "0.87.1"):
            assert all(char in folded for char in word)
        if columns >= 80:
            assert "0.87.1" in shown


def test_doctor_cuts_nothing_on_a_narrow_terminal(home):
    def words(text: str) -> str:
        return re.sub(r"[^a-z]", "", text.replace("why:", ""))

    narrow, wide = (on_terminal("doctor", columns=width, TERM="dumb") for width in (40, 200))
    assert "\u2026" not in narrow
    assert sorted(words(narrow)) == sorted(words(wide))
    # Nor does it fold sentences into a column of a few letters.
    assert "agents run as " in narrow


@pytest.mark.parametrize("name", ["audit", "agents"])
def test_a_pipe_gets_whole_lines_whatever_the_width(denied, name):
    whole = in_pipe(name)
    if name == "audit":
        (line,) = whole.splitlines()
        assert line.endswith(f"allow: {COMMAND}")
    for columns in WIDTHS:
        assert in_pipe(name, COLUMNS=str(columns)) == whole, columns


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["audit", "--help"]])
def test_help_fits(home, words, columns):
    shown = on_terminal(*words, columns=columns)
    assert "\x1b" not in shown
    # click breaks at words only: one that is longer than its column stays whole.
    wide = [line for line in shown.splitlines() if len(line) > max(columns, 60)]
    assert not wide


# --- quiet ----------------------------------------------------------------------------------------------------------

LOUD = ("run", "shell", "setup", "build", "update", "audit", "doctor")


def test_the_commands_that_say_something_of_their_own_have_quiet():
    for name in COMMANDS:
        command = root.get_command(None, name)
        options = {text for parameter in command.params for text in parameter.opts}
        assert ("--quiet" in options) == (name in LOUD), name


BUILD = 'case "$*" in *"compose"*" build "*) echo "#5 [pi 2/5] RUN x"; exit ${CODE:-0};; esac; echo "Docker Compose version v2.20.0"'


def test_build_says_nothing_with_quiet_but_errors(call, docker, engine, monkeypatch):
    engine.answers["GET /images/json"] = (200, [])
    docker(BUILD)
    assert call("build", "pi", "--quiet") == (0, "", "")
    code, out, err = call("build", "pi")
    assert (code, out) == (0, "pi 0.87.1\n")
    assert "agentbox: building" in err
    monkeypatch.setenv("CODE", "1")
    code, out, err = call("build", "pi", "-q")
    assert (code, out) == (125, "")
    assert "the build failed" in err


STEER = "\\033]52;c;eA==\\007\\033[2J\\342\\200\\256"
HOSTILE = (
    f"""case "$*" in *compose*" build "*) printf '#5 [pi 2/5] RUN {STEER}\\nlast words {STEER}\\n'; exit 1;; esac"""
)


def test_what_a_build_prints_is_written_out(call, docker, engine):
    engine.answers["GET /images/json"] = (200, [])
    docker(HOSTILE)
    code, out, err = call("build", "pi")
    assert (code, out) == (125, "")
    assert err.count("]52;c;eA==") >= 3  # the step, and the last lines
    assert not [char for char in err if not char.isprintable() and char != "\n"]


def test_masks_are_not_named_with_quiet(call, home):
    """In `run` and all that starts a container: the same line of code as in `compose`, which has no --quiet."""
    from click import Context

    from agentbox.cli import common, terminal

    (home / "project/.env").write_text("x")
    _, _, err = call("compose", "pi")
    assert "agentbox: masked .env" in err
    with Context(root.get_command(None, "run")) as context:
        context.meta[terminal.QUIET] = True
        assert terminal.is_quiet()
        common.say("never seen")


def test_progress_is_one_line_that_cannot_steer(home):
    source = """
import sys
from agentbox.cli import terminal
with terminal.progress() as report:
    report("step \\x1b]52;c;x\\x07 " + "long " * 60)
    import time; time.sleep(0.3)
"""
    shown = _run_on_terminal(source, columns=40)
    assert "]52" in shown
    assert "0:00:00" in shown
    assert "\x1b]" not in shown
    lines = [CODES.sub("", line) for line in re.split(r"[\r\n]+", shown)]
    assert max(len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)) for line in lines) <= 40


def _run_on_terminal(source: str, columns: int) -> str:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**{k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}, "TERM": "xterm"}
    with subprocess.Popen([sys.executable, "-c", source], stdin=slave, stdout=slave, stderr=slave, env=env):
        os.close(slave)
        found = b""
        try:
            while chunk := os.read(master, 65536):
                found += chunk
        except OSError:
            pass
    os.close(master)
    return found.decode()


# --- what containers wrote ------------------------------------------------------------------------------------------

Call = Callable[..., tuple[int, str, str]]
STEERING = b"\x1b]52;c;Y3VybA==\x07 \xe2\x80\xae x \xc2\x9b31m \x08 \xff\tplain\r\n"
CONTAINER = {
    "Names": ["/agentbox-pi-1"], "Id": "1", "State": "running", "Status": "Up \x1b[2J\u202e", "Created": 1,
    "Image": "local/dev-pi", "Labels": {"io.agentbox.agent": "pi", "io.agentbox.workspace": "/w\x1b[2J\nforged"},
}  # fmt: skip


def _log(engine, chunks: list[bytes]) -> None:
    engine.answers["GET /containers/json"] = (200, [CONTAINER])
    engine.answers["GET /containers/agentbox-pi-1/json"] = (
        200,
        {"Id": "1", "Config": {"Tty": True}, "Name": "/agentbox-pi-1"},
    )
    engine.answers["GET /version"] = (200, {"ApiVersion": "1.41"})
    engine.answers["GET /v1.41/containers/agentbox-pi-1/json"] = engine.answers["GET /containers/agentbox-pi-1/json"]
    engine.answers["GET /v1.41/containers/1/json"] = engine.answers["GET /containers/agentbox-pi-1/json"]
    engine.answers["GET /v1.41/containers/1/logs"] = (200, b"".join(chunks))


def test_logs_are_written_out(call, engine):
    _log(engine, [STEERING])
    code, out, err = call("logs", "pi")
    assert code == 0, err
    assert out == "\\x1b]52;c;Y3VybA==\\x07 \\u202e x \\x9b31m \\x08 \\xff\tplain\n"


def test_raw_logs_are_byte_for_byte(call, engine):
    """The control: what steers a terminal does reach it."""
    _log(engine, [STEERING])
    command = [sys.executable, "-m", "agentbox", "logs", "pi", "--raw"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=True).stdout == STEERING


def test_a_sequence_that_comes_in_parts_is_written_out_too(capsys):
    from agentbox.cli.terminal import show_output

    show_output(bytes([byte]) for byte in STEERING + "né".encode() + b"\r\r\n\r")
    assert capsys.readouterr().out == "\\x1b]52;c;Y3VybA==\\x07 \\u202e x \\x9b31m \\x08 \\xff\tplain\nné\\r\n\\r"


def test_ps_shows_no_control_characters(call, engine):
    engine.answers["GET /containers/json"] = (200, [CONTAINER])
    for words in (["ps"], ["ps", "--json"], ["stop", "nobody\x1b[2J"]):
        _, out, err = call(*words)
        assert not [char for char in out + err if not char.isprintable() and char != "\n"]
        assert not any(line.startswith("forged") for line in out.splitlines())
