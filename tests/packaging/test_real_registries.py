"""Each agent, from the real registries, as a user who has nothing: an empty home, no Node, no programs on PATH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentbox import policy as policies

ROOT = Path(__file__).resolve().parents[2]
UID = 10_505
pytestmark = [pytest.mark.npm, pytest.mark.slow]

PROGRAM = """
import json, os, subprocess, sys
from agentbox import harness, policy
wanted = policy.load(sys.argv[1], None)
found = harness.ensure(wanted, progress=lambda line: print(line, file=sys.stderr))
said = subprocess.run([*found.argv, *wanted.command.version[1:]], capture_output=True, text=True)
own = [path for path in (found.root, *found.root.rglob("*")) if not path.is_symlink()]
print(json.dumps({"said": said.stdout + said.stderr, "root": str(found.root), "uid": os.getuid(),
                  "open": [str(path) for path in own if path.stat().st_mode & 0o022],
                  "left": sorted(path.name for path in found.root.parent.iterdir())}))
"""


def as_user(words: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    ids = {"user": UID, "group": UID, "extra_groups": []} if os.getuid() == 0 else {}
    return subprocess.run(words, cwd="/", env=environ, capture_output=True, text=True, check=False, **ids)  # type: ignore[call-overload]


def python() -> str:
    """An interpreter of this version that the user can start."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{version}"):
        try:
            if as_user([candidate, "-c", "pass"], {}).returncode == 0:
                return candidate
        except OSError:
            continue
    pytest.skip(f"no {version} that UID {UID} may start")


@pytest.fixture
def home() -> Iterator[Path]:
    """Not below pytest's own folder, which pytest closes to others whenever it starts."""
    with tempfile.TemporaryDirectory(prefix="agentbox-test-") as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "home")
        path.mkdir()
        if os.getuid() == 0:
            os.chown(path, UID, UID)
        yield path


@pytest.mark.parametrize("agent", ["claude", "hermes", "opencode", "pi"])
def test_agent_comes_from_its_registry_and_tells_its_version(home: Path, agent: str) -> None:
    packages = [each for each in sys.path if each.endswith("site-packages")]
    kept = ("AGENTBOX_CA_BUNDLE", "SSL_CERT_FILE", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "npm_config_registry")
    environ = {name: os.environ[name] for name in kept if name in os.environ}
    environ |= {"HOME": str(home), "PATH": "/nowhere", "PYTHONPATH": ":".join([str(ROOT), *packages])}
    done = as_user([python(), "-c", PROGRAM, agent], environ)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    version = policies.load(agent, None).package.version
    assert version in told["said"]
    assert told["uid"] != 0
    assert told["open"] == []
    assert (told["root"], told["left"]) == (f"{home}/.cache/agentbox/{agent}/{version}", [".lock", version])
