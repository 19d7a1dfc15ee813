"""tools/record.py, and the pictures that it made: real output of a real terminal, and nothing of the machine in it."""

from __future__ import annotations

import html
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools/record.py"
PICTURES = sorted(ROOT.glob("docs/*.svg"))
NARROW = "for i in 1 2 3; do printf '\\033[3%smline %s\\033[0m\\n' $i $i; done; test -t 1 && stty size"


def record(folder: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, text of the picture and stderr."""
    svg = folder / "x.svg"
    done = subprocess.run(
        [sys.executable, str(TOOL), str(svg), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
    )
    return done.returncode, text_of(svg.read_text()) if svg.exists() else "", done.stderr


def text_of(svg: str) -> str:
    rows: dict[float, list[tuple[float, str]]] = {}
    for x, y, text in re.findall(r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', svg):
        rows.setdefault(float(y), []).append((float(x), html.unescape(text).replace("\xa0", " ")))
    return "\n".join("".join(text for _, text in sorted(row)).rstrip() for _, row in sorted(rows.items()))


def test_a_picture_shows_what_the_terminal_showed(tmp_path: Path) -> None:
    code, text, err = record(tmp_path, "--columns", "60", "--rows", "20", "--", "sh", "-c", NARROW)
    assert (code, err) == (0, "")
    assert text.splitlines()[0] == "$ " + shlex.join(["sh", "-c", NARROW])[:58] or text.startswith("$ sh -c")
    assert "line 1\nline 2\nline 3\n20 60" in text


def test_cursor_moves_are_obeyed_and_not_shown(tmp_path: Path) -> None:
    code, text, _ = record(tmp_path, "--shown", "x", "--", "printf", "one\rtwo\\033[2K\rthree\\nfour\\033[1A\rTHREE\\n")
    assert (code, text) == (0, "$ x\nTHREE\nfour")


def test_keys_are_typed_once_their_text_is_there(tmp_path: Path) -> None:
    script = "printf 'name? '; read name; echo hello $name"
    code, text, _ = record(tmp_path, "--shown", "x", "--send", "name?=you\\r", "--", "sh", "-c", script)
    assert (code, text) == (0, "$ x\nname? you\nhello you")


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--", "false"], "ended with 1"),
        (["--seconds", "1", "--", "sleep", "30"], "not at its end after 1 s"),
        (["--", "pwd"], "would show"),
        (["--", "hostname"], "would show"),
    ],
)
def test_what_would_be_no_true_or_no_fit_picture_is_not_made(tmp_path: Path, words: list[str], cause: str) -> None:
    code, text, err = record(tmp_path, *words)
    assert (code, text) == (1, "")
    assert cause in err


def test_what_is_hidden_is_replaced(tmp_path: Path) -> None:
    code, text, _ = record(tmp_path, "--shown", "x", "--hide", f"{tmp_path}=~/project", "--columns", "200", "--", "pwd")
    assert (code, text) == (0, "$ x\n~/project")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_pictures_are_whole_shown_and_tell_nothing(picture: Path) -> None:
    svg = picture.read_text()
    ElementTree.fromstring(svg)
    assert f"(docs/{picture.name})" in (ROOT / "README.md").read_text()
    assert not re.findall(r"(?:href|src|url)\s*[=(]\s*[\"']?(?:https?:|//|data:)", svg), "something is fetched"
    for word in (socket.gethostname(), os.environ.get("HOME", ""), "/tmp/", "/home/", "/root", str(ROOT)):
        assert len(word) < 4 or word not in text_of(svg)
    assert text_of(svg).startswith(f"$ agentbox {picture.stem}")
