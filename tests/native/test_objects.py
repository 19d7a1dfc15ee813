"""What the compiled objects export and need."""

import re
import subprocess
from pathlib import Path

import pytest
from vault_world import World

from agentbox import resources

CSRC = resources.tree("csrc")


def lib(name: str) -> Path:
    path = resources.lib(name)
    if path is None:
        pytest.skip("the native parts are not built")
    return path


def tool(*argv: str | Path) -> str:
    return subprocess.run([str(word) for word in argv], check=True, text=True, capture_output=True).stdout


def table() -> set[str]:
    """The names in wrappers.h."""
    return set(re.findall(r"^(?:WRAPPER|OPTIONAL|TWIN)\((\w+)", (CSRC / "wrappers.h").read_text(), re.MULTILINE))


def test_preload_exports_exactly_the_table() -> None:
    lines = tool("nm", "-D", "--defined-only", lib("fs-vault.so")).splitlines()
    assert {line.split()[-1] for line in lines} == table()


def test_preload_has_no_python_symbols() -> None:
    assert not re.findall(r"\bPy\w+", tool("nm", "-D", lib("fs-vault.so")))


def test_preload_needs_nothing_beyond_libc() -> None:
    needed = re.findall(r"NEEDED.*\[(.*)\]", tool("readelf", "-d", lib("fs-vault.so")))
    assert set(needed) <= {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


def test_preload_needs_no_glibc_above_2_34() -> None:
    versions = re.findall(r"GLIBC_(\d+)\.(\d+)", tool("readelf", "--version-info", lib("fs-vault.so")))
    assert versions
    assert max((int(major), int(minor)) for major, minor in versions) <= (2, 34)


def test_launcher_is_static() -> None:
    assert "INTERP" not in tool("readelf", "--program-headers", lib("agentbox-launch"))
    assert "NEEDED" not in tool("readelf", "--dynamic", lib("agentbox-launch"))


@pytest.mark.vault
def test_preload_loads_with_immediate_binding(vaulted: World) -> None:
    done = vaulted.run("/bin/true", env={"LD_BIND_NOW": "1"})
    assert (done.returncode, done.stderr) == (0, "")


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        subprocess.run(
            ["sh", CSRC / "build.sh"], env={"PATH": "/usr/bin:/bin", "OUTDIR": str(tmp_path / name)}, check=True
        )
    for name in ("fs-vault.so", "agentbox-launch"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_wrappers_are_short() -> None:
    """interpose.c holds wrappers and nothing else; none is longer than 12 lines between its braces."""
    bodies = re.findall(
        r"^VAULT_EXPORT[^{;]*\n\{\n(.*?)^\}", (CSRC / "interpose.c").read_text(), re.MULTILINE | re.DOTALL
    )
    assert bodies
    assert max(body.count("\n") for body in bodies) <= 12


@pytest.mark.parametrize("source", sorted(CSRC.glob("*.[ch]")), ids=lambda path: path.name)
def test_c_files_stay_below_400_lines(source: Path) -> None:
    assert len(source.read_text().splitlines()) < 400
