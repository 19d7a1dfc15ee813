"""A tool's refusal inside node leaves one record; the agent's own access, and a refusal nobody is told of, leave none."""

import json
import subprocess
from pathlib import Path

from node_process import FIREWALL, environment


def test_what_a_tool_is_refused_is_written_down_and_what_the_agent_does_is_not(node: str, tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.touch()
    (tmp_path / ".env").write_text("TOP-SECRET")
    policy = {
        "version": 2, "agent": "pi", "tree": "/agent", "audit": str(records), "deny": [".env"], "paths": [], "read": [],
        "write": [], "frames": [],
    }  # fmt: skip
    source = f"""
      const fs = require('fs');
      const {{ runAsTool }} = require({str(FIREWALL)!r}).installFrom({json.dumps(policy)});
      JSON.stringify = () => 'replaced'; Date.now = () => 0; fs.writeSync = () => 0;
      console.log(fs.readFileSync('.env', 'utf8'));
      runAsTool(() => {{ try {{ fs.readFileSync('.env') }} catch (e) {{ console.log(e.code) }} }});
      runAsTool(() => fs.promises.readFile('.env')).catch((e) => console.log(e.code));
    """
    run = subprocess.run(
        [node, "-e", source], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.stdout.split(), run.stderr) == (["TOP-SECRET", "EACCES", "EACCES"], "")
    found = [json.loads(line) for line in records.read_text().splitlines()]
    assert [(each["layer"], each["operation"], each["path"]) for each in found] == [("guard", "open", ".env")] * 2
    assert "TOP-SECRET" not in records.read_text()
    assert all(each["time"] > 1e9 for each in found)
