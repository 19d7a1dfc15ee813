"""What the README shows of keys: given once, used by all four agents, none of which has been set up before."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from boxes import AGENTS, Box
from provider import provider

from agentbox.generate import ROOT

KEY = "sk-ant-api03-of-the-readme-test"
SECTION = (ROOT / "README.md").read_text().partition("## Keys and network\n")[2].partition("\nInside ")[0]
NAME = re.search(r"export (\w+)=", SECTION)
LINES = re.findall(r"^ {4}agentbox (run .*)$", SECTION, re.MULTILINE)


def test_each_agent_has_its_line() -> None:
    assert sorted(line.split()[1] for line in LINES) == sorted(AGENTS)
    assert NAME and NAME[1] == "ANTHROPIC_API_KEY"


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split()[1])
def test_the_line_works_in_an_empty_home(
    line: str, box: Box, gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with provider(box, gateway, [], tmp_path) as model:
        done = box.agentbox(*shlex.split(line))
    assert done.returncode == 0, done.stderr + done.stdout
    assert "DONE" in done.stdout
    assert model.credentials == {KEY}
