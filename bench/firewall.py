"""The cost of js/ in pi's own process, with the policy that pi gets: `python -m bench.firewall`. Needs node, or npm to get it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from agentbox import policy

BENCH = Path(__file__).with_name("bench_firewall.mjs")
JOIN = BENCH.parent.parent / "js" / "join.js"
NEEDS = (22, 19)  # what pi asks for


def find_node(folder: Path) -> str:
    """The node of this machine if pi runs on it; else the image's major version from npm."""
    present = shutil.which("node")
    if present:
        told = subprocess.run([present, "--version"], capture_output=True, text=True, check=True).stdout
        if tuple(int(number) for number in re.findall(r"\d+", told)[:2]) >= NEEDS:
            return present
    if shutil.which("npm") is None:
        raise SystemExit("bench.firewall: no node 22.19 or newer, and no npm to install one")
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "node@24"], cwd=folder, check=True)
    return str(folder / "node_modules/node/bin/node")


def main() -> int:
    """Print the table. Exit 1 if a goal was missed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "package.json").write_text('{"private": true}')
        rendered = folder / "firewall.json"
        rendered.write_text(policy.render_firewall(policy.load("pi")))
        node, joined = find_node(folder), folder / "joined"
        joined.mkdir()
        subprocess.run([node, str(JOIN), str(joined)], check=True)
        return subprocess.run([node, str(BENCH), str(rendered), str(joined)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
