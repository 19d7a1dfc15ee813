"""Records a command on a real terminal as an SVG: what it prints is what a terminal emulator (pyte) made of it.

    python tools/record.py docs/audit.svg --title 'agentbox audit' -- agentbox audit
    python tools/record.py docs/run.svg --send 'DONE=/quit\\r' -- agentbox run pi -- 'show me the file'

The command line is shown as typed after a prompt, or --shown in its place. --send TEXT=KEYS types KEYS once TEXT is on
the screen. --hide TEXT=OTHER shows OTHER wherever TEXT stands. Nothing is written where the picture would name this
machine: its home, host or folder.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import pty
import re
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from itertools import groupby
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROWS = 50
# pyte's names of colours, in the order of a terminal's numbers.
NAMES = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
THEME = TerminalTheme(
    (27, 29, 35),
    (214, 217, 224),
    [
        (40, 44, 52),
        (224, 108, 117),
        (152, 195, 121),
        (209, 154, 102),
        (97, 175, 239),
        (198, 120, 221),
        (86, 182, 194),
        (171, 178, 191),
    ],
    [
        (110, 118, 135),
        (240, 128, 137),
        (170, 215, 140),
        (229, 192, 123),
        (120, 190, 250),
        (215, 140, 235),
        (110, 205, 215),
        (255, 255, 255),
    ],
)


def perform(command: list[str], screen: pyte.Screen, keys: list[tuple[str, bytes]], seconds: float) -> int:
    """Run the command on a terminal of the screen's size, which shows all that it prints. Returns its exit code."""
    stream = pyte.ByteStream(screen)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", screen.lines, screen.columns, 0, 0))
    kept = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
    }
    env = {**kept, "TERM": "xterm-256color"}
    waiting, end = list(keys), time.monotonic() + seconds

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, preexec_fn=take_terminal)  # noqa: PLW1509  alone in this process
    os.close(slave)
    screen.write_process_input = lambda text: os.write(master, text.encode())  # answers to the program's questions
    while time.monotonic() < end:
        if select.select([master], [], [], 0.2)[0]:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # the last of its users has gone
                return process.wait()
            stream.feed(chunk)
        elif waiting and any(waiting[0][0] in line for line in screen.display):
            os.write(master, waiting.pop(0)[1])
    os.killpg(process.pid, signal.SIGTERM)
    raise SystemExit(
        f"record: {shlex.join(command)}: not at its end after {seconds:.0f} s\n" + "\n".join(screen.display).rstrip()
    )


def picture(screen: pyte.Screen) -> Text:
    """The screen as far as anything is on it."""
    used = [number for number, line in enumerate(screen.display) if line.strip()]
    lines = []
    for row in range(max(used, default=-1) + 1):
        line = Text()
        cells = [screen.buffer[row][column] for column in range(screen.columns)]
        for style, run in groupby(cells, _style):
            line.append("".join(cell.data for cell in run), style)
        lines.append(line)
    return Text("\n").join(lines)


def _style(char: pyte.screens.Char) -> Style:
    return Style(
        color=_colour(char.fg),
        bgcolor=_colour(char.bg),
        bold=char.bold,
        italic=char.italics,
        underline=char.underscore,
        reverse=char.reverse,
    )


def _colour(name: str) -> str | None:
    if name == "default":
        return None
    bright = name.startswith("bright")
    plain = name.removeprefix("bright")
    if plain in NAMES:
        return f"color({NAMES.index(plain) + 8 * bright})"
    return f"#{name}" if re.fullmatch(r"[0-9a-f]{6}", name) else None


def render(text: Text, columns: int, title: str) -> str:
    """The SVG, with the fonts that the reader has: nothing in it is fetched from elsewhere."""
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(text, no_wrap=True, overflow="ignore", crop=False)
    svg = console.export_svg(title=title, theme=THEME, unique_id="agentbox")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def machine() -> set[str]:
    """What would tell on which machine this was made."""
    here = [str(Path.home()), str(Path.cwd()), socket.gethostname(), os.environ.get("HOME", "")]
    return {word for word in here if len(word) > 1}


def pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def main() -> int:
    parser = argparse.ArgumentParser(description="Record a command on a terminal as an SVG.")
    parser.add_argument("svg", type=Path)
    parser.add_argument("--title", default="")
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument(
        "--rows", type=int, default=ROWS, help="more than the command prints: what scrolls away is lost"
    )
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--shown", help="in place of the command line")
    parser.add_argument("--send", type=pair, action="append", default=[], metavar="TEXT=KEYS")
    parser.add_argument("--hide", type=pair, action="append", default=[], metavar="TEXT=OTHER")
    parser.add_argument("--code", type=int, default=0, help="the exit code that the command is to have")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    screen = pyte.Screen(asked.columns, asked.rows)
    keys = [(text, typed.encode().decode("unicode_escape").encode()) for text, typed in asked.send]
    code = perform(asked.command, screen, keys, asked.seconds)
    shown = asked.shown or shlex.join(asked.command)
    svg = render(
        Text.assemble(("$ ", "green"), (shown, "bold"), "\n", picture(screen)), asked.columns, asked.title or shown
    )
    if code != asked.code:
        raise SystemExit(f"record: {shown}: ended with {code}\n" + "\n".join(screen.display).rstrip())
    for text, other in asked.hide:
        svg = svg.replace(text, other)
    if told := [word for word in machine() if word in svg]:
        raise SystemExit(f"record: {asked.svg}: would show {', '.join(told)}; --hide it")
    asked.svg.write_text(svg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
