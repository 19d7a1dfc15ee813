"""What the tests of js/ share: where things are, and the environment of a node process."""

import os
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FIREWALL = ROOT / "js" / "app-firewall.js"


def environment(**extra: str) -> Mapping[str, str]:
    """The caller's environment without what would reach into node."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NODE_", "npm_", "PI_"))}
    return {**kept, "FIREWALL_JS": str(FIREWALL), **extra}
