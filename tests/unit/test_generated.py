"""Generated files are what their sources say now, and the version is the same in its two places."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import agentbox
from agentbox.generate import OUTPUTS, ROOT


@pytest.mark.parametrize("name", OUTPUTS)
def test_generated_file_is_in_sync(name: str):
    assert (ROOT / name).read_text() == OUTPUTS[name](), "run `make docs`"


def test_version_is_the_same_in_both_places():
    project = tomllib.loads(Path(ROOT, "pyproject.toml").read_text())["project"]
    assert project["version"] == agentbox.__version__
