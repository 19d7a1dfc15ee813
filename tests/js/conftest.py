"""Real node processes for the in-process guard. Node 24 and the pi package come from npm unless they are there."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from fast import one_at_a_time
from node_process import FIREWALL, ROOT, environment

NEEDS = (22, 19)  # what pi asks for


def _version(node: str) -> tuple[int, ...]:
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(number) for number in re.findall(r"\d+", told)[:2])


def _installed(cache: Path, *packages: str) -> Path:
    """node_modules with these packages; kept in pytest's cache from run to run, and made by one process at a time."""
    if shutil.which("npm") is None:
        pytest.skip(f"npm is not there to install {', '.join(packages)}")
    with one_at_a_time(cache):
        return _installed_alone(cache, *packages)


def _installed_alone(cache: Path, *packages: str) -> Path:
    stamp = cache / "installed.json"
    if not stamp.exists() or json.loads(stamp.read_text()) != list(packages):
        shutil.rmtree(cache / "node_modules", ignore_errors=True)
        (cache / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *packages]
        result = subprocess.run(command, cwd=cache, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            pytest.skip(f"npm could not install {', '.join(packages)}: {result.stderr[-500:]}")
        stamp.write_text(json.dumps(packages))
    return cache / "node_modules"


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest) -> str:
    present = shutil.which("node")
    if present and _version(present) >= NEEDS:
        return present
    return str(_installed(request.config.cache.mkdir("agentbox-node"), "node@24") / "node" / "bin" / "node")


@pytest.fixture(scope="session")
def joined(node: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The entry as images have it: made of the files in js/, with compiled code."""
    folder = tmp_path_factory.mktemp("joined")
    subprocess.run([node, str(ROOT / "js" / "join.js"), str(folder)], env=environment(), check=True)
    return folder / "app-firewall.js"


@pytest.fixture(params=["files", "joined"])
def firewall(request: pytest.FixtureRequest) -> Path:
    """The entry of the guard, as it stands in js/ and as images have it."""
    return request.getfixturevalue("joined") if request.param == "joined" else FIREWALL


@pytest.fixture(scope="session")
def newest_node(request: pytest.FixtureRequest) -> str:
    """The newest node that npm has: what it adds to its surface is to be noticed here."""
    return str(_installed(request.config.cache.mkdir("agentbox-node-newest"), "node@latest") / "node" / "bin" / "node")


@pytest.fixture(scope="session")
def node_modules(request: pytest.FixtureRequest) -> Path:
    """The pi that agentbox pins, and ripgrep for its grep tool."""
    package = tomllib.loads((ROOT / "agentbox/agents/pi.toml").read_text())["package"]
    cache = request.config.cache.mkdir("agentbox-pi")
    return _installed(cache, f"{package['name']}@{package['version']}", "@vscode/ripgrep@1.18.0")


@pytest.fixture(scope="session")
def old_node_modules(request: pytest.FixtureRequest) -> Path:
    """The last pi that ships its tools as files, under the name it had then."""
    cache = request.config.cache.mkdir("agentbox-pi-files")
    return _installed(cache, "@mariozechner/pi-coding-agent@0.73.1", "@vscode/ripgrep@1.18.0")
