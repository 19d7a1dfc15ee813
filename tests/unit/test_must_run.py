"""What .ci/run relies on: no test is left out without a word, whoever runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SKIPS = "import pytest\n\ndef test_it():\n    pytest.skip('no engine')\n"


@pytest.mark.parametrize(("variable", "code"), [("1", 1), ("", 0)])
def test_a_skip_on_a_worker_is_a_failure_where_all_must_run(tmp_path: Path, variable: str, code: int) -> None:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_it.py").write_text(SKIPS)
    done = subprocess.run(
        # A base of its own: pytest would close the common one to the users that other tests act as.
        [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/base", tmp_path],
        cwd=tmp_path, env={**os.environ, "AGENTBOX_MUST_RUN": variable}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    assert ("must run, but: " in done.stdout and "no engine" in done.stdout) is bool(code)
