"""`python -m agentbox.generate`: writes the files of the checkout that are made from other files of it.

With --check it only says which are out of date, and ends with 1 if any is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agentbox import clidoc, composefile, config_schema

ROOT = Path(__file__).resolve().parent.parent
OUTPUTS = {
    "containers/compose.yaml": composefile.render,
    "docs/cli.md": clidoc.render,
    "docs/config.schema.json": config_schema.render_user,
    "docs/workspace.schema.json": config_schema.render_workspace,
}


def main(argv: list[str]) -> int:
    outdated = 0
    for name, render in OUTPUTS.items():
        path, text = ROOT / name, render()
        if path.is_file() and path.read_text() == text:
            continue
        outdated = 1
        print(name)
        if "--check" not in argv:
            path.write_text(text)
    return outdated if "--check" in argv else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
