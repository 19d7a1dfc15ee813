"""What runs the broker natively: a Python with the mitmproxy that the image has.

agentbox itself asks for less than mitmproxy 12 does. Where no Python here is new enough, the one in the broker's image is taken, root
filesystem and all, if there is an engine to build it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "containers" / "egress"
PLACE = ROOT / ".venv" / "egress"
# Those that the image's Python is, and its neighbours.
VERSIONS = ("3.13", "3.14", "3.12")
IMAGE = "local/agentbox-native-egress"


@dataclass(frozen=True)
class Interpreter:
    """How to start it, and the root filesystem it needs, if not this machine's."""

    argv: list[str]
    root: Path | None = None


def find() -> Interpreter | None:
    """The interpreter, made where there is none yet."""
    if chosen := os.environ.get("AGENTBOX_EGRESS_PYTHON"):
        return Interpreter([chosen])
    wanted = (SOURCE / "requirements.txt").read_text()
    stamp = PLACE / "requirements"
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(PLACE, ignore_errors=True)
        if python := next((path for version in VERSIONS if (path := _installed(version))), None):
            subprocess.run([python, "-m", "venv", PLACE], check=True)
            install = [PLACE / "bin/pip", "install", "--quiet", "--no-deps", "-r", SOURCE / "requirements.txt"]
            subprocess.run(install, check=True)
        elif not _from_image(PLACE / "root"):
            return None
        stamp.write_text(wanted)
    if (PLACE / "root").is_dir():
        return Interpreter(
            [shutil.which("chroot") or "chroot", str(PLACE / "root"), "/opt/egress/bin/python"], PLACE / "root"
        )
    return Interpreter([str(PLACE / "bin/python")])


def _installed(version: str) -> str | None:
    candidates = [
        shutil.which(f"python{version}"),
        *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")),
    ]
    if tuple(map(int, version.split("."))) == sys.version_info[:2]:
        candidates.insert(0, sys.executable)
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-c", "import venv, ssl"], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


def _from_image(target: Path) -> bool:
    """Build the image, and unpack its filesystem into `target`."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return False
    with tempfile.TemporaryDirectory() as context:
        for name in ("base", "egress"):
            shutil.copytree(SOURCE.parent / name, Path(context, name))
        shutil.copy(SOURCE.parent / "harden.sh", context)
        if bundle := os.environ.get("AGENTBOX_CA_BUNDLE"):
            Path(context, "ca").mkdir()
            shutil.copy(bundle, Path(context, "ca/extra.crt"))
        build = ["docker", "build", "-q", "-t", IMAGE, "-f", f"{context}/egress/Dockerfile", context]
        subprocess.run(build, env=os.environ | {"DOCKER_BUILDKIT": "1"}, stdout=subprocess.DEVNULL, check=True)
    container = subprocess.check_output(["docker", "create", IMAGE], text=True).strip()
    target.mkdir(parents=True)
    try:
        with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as export:
            subprocess.run(["tar", "-x", "-C", target], stdin=export.stdout, check=True)
    finally:
        subprocess.run(["docker", "rm", container], stdout=subprocess.DEVNULL, check=True)
    return True
