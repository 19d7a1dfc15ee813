"""Generated files are what their sources say now, and the version is the same in its two places."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import agentbox
from agentbox import clidoc
from agentbox.generate import OUTPUTS, ROOT


@pytest.mark.parametrize("name", OUTPUTS)
def test_generated_file_is_in_sync(name: str):
    assert (ROOT / name).read_text() == OUTPUTS[name](), "run `make docs`"


# Which every program has.
USUAL = {"PATH", "HOME", "SUDO_UID", "SUDO_GID", "SUDO_USER"}


def test_every_variable_that_is_read_stands_in_the_page():
    """As the package's sources name them: in environ, and in tables of click. Of verify's programs only what runs outside."""
    named = set(re.findall(r"[A-Z][A-Z_]{1,}", ", ".join(clidoc.ENVIRONMENT)))
    inside = [ROOT / "agentbox/verify" / name for name in ("attacks", "inside")]
    sources = [path for path in ROOT.glob("agentbox/**/*.py") if not set(inside) & set(path.parents)]
    read = re.compile(r"""(?:env(?:iron)?(?:\.get\(|\[)|envvar=|_number\(env, |_base\()"([A-Z][A-Z_]+)\"""")
    found = {name for path in sources for name in read.findall(path.read_text())}
    assert {"SVC", "WORKDIR", "HOST_UID", "DOCKER_HOST", "NO_COLOR", "XDG_STATE_HOME"} <= found
    assert found - USUAL <= named
    assert all(f"`{row}`" in OUTPUTS["docs/cli.md"]() for row in clidoc.ENVIRONMENT)


def test_version_is_the_same_in_both_places():
    project = tomllib.loads(Path(ROOT, "pyproject.toml").read_text())["project"]
    assert project["version"] == agentbox.__version__
