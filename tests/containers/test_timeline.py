"""`agentbox audit` after real sessions: each layer's record is there, and what a tool does to the file of records is harmless."""

from __future__ import annotations

import json
import re
from typing import Any

from boxes import Agent, Box, own
from fake_model import FakeModel, Read, Shell

PLACE = "/var/log/agentbox.jsonl"


def timeline(box: Box, *words: str) -> list[dict[str, Any]]:
    done = box.agentbox("audit", "--json", *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_session_leaves_a_record_of_each_layer(agent: Agent, box: Box, gateway: str) -> None:
    secret = box.workspace / ".env"
    secret.write_text("KEY=masked-secret\n")
    own(secret)
    # Claude Code's own rules refuse a shell command that names the credential, before anything of it runs.
    opens = f"import os; os.open('/agent' + '{agent.secret.removeprefix('/agent')}', 0)"
    script = [
        Read(agent.secret),
        Read("/workspace/gh_token"),
        Shell(f'python3 -c "{opens}"; curl -sS --max-time 20 https://unlisted.example/'),
    ]
    with FakeModel(script, host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        run = box.run(agent.name, *agent.turn, options=agent.options)
    assert "DONE" in run.stdout, run.stderr
    found = timeline(box)
    first = {layer: next((each for each in found if each["layer"] == layer), None) for layer in LAYERS}
    assert all(first.values()), found
    assert first["mask"]["what"] == "masked .env"
    guarded = [each["fields"]["path"] for each in found if each["layer"] == "guard"]
    assert "/workspace/gh_token" in guarded
    assert agent.secret in guarded
    assert "/python3" in first["vault"]["fields"]["exe"]
    assert first["vault"]["fields"]["path"] == agent.secret
    assert "unlisted.example:443" in [each["what"].rpartition(" ")[2] for each in found if each["layer"] == "egress"]
    assert "agentbox allow unlisted.example" in [each["allow"] for each in found]
    assert REFUSED.search(run.stderr), "the end of the session names the hosts that it did not get"
    assert {each["agent"] for each in found} == {agent.name}
    assert [each["time"] for each in found] == sorted(each["time"] for each in found)
    text = json.dumps(found) + run.stderr
    assert agent.key not in text
    assert "masked-secret" not in text


REFUSED = re.compile(
    r"^agentbox: \d+ hosts? (was|were) refused: .*unlisted\.example.* or agentbox audit\)$", re.MULTILINE
)
LAYERS = ("mask", "guard", "vault", "egress")
ATTACKS = {
    "symlink": "ln -sf /etc/passwd {}",
    "remove": "rm -f {}",
    "move": "mv {0} {0}.x",
    "pipe": "rm -f {0}; mkfifo {0}",
    "neighbour": "echo x > {}.1",
}
FORGED = {"time": 4e9, "agent": "claude", "exe": "/bin/\x1b]52;c;eA==\x07", "path": "\u202ex", "rule": "name .env"}


def test_a_tool_may_write_into_its_records_and_nothing_else_of_them(box: Box) -> None:
    """The control: each attack works on the same file in a folder of the tool's own."""
    tried = "; ".join(
        f"touch /tmp/own; ({attack.format(place)}) 2>/dev/null && echo {name} {where}; rm -f /tmp/own*"
        for name, attack in ATTACKS.items()
        for where, place in (("own", "/tmp/own"), ("records", PLACE))
    )
    forge = f"printf '%s\\n' '{json.dumps(FORGED)}' 'no record' >> {PLACE}; head -c 3000000 /dev/zero | tr '\\0' x >> {PLACE}"
    run = box.shell("pi", f"{tried}; {forge}; touch -d 2099-01-01 {PLACE}; echo ended")
    assert run.stdout.split("\n")[:-1] == [*(f"{name} own" for name in ATTACKS), "ended"], run.stderr
    (folder,) = (box.home / ".local/state/agentbox/audit").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["egress", "inside.jsonl", "run.jsonl"]
    (event,) = [each for each in timeline(box) if each["layer"] == "vault"]
    assert (event["agent"], event["claimed"], event["time"][:4] < "2099") == ("pi", True, True)
    text = box.agentbox("audit")
    assert "\x1b" not in text.stdout
    assert "\u202e" not in text.stdout
    assert "]52;c;eA==" in text.stdout
    assert "2 lines that no record looks like" in text.stderr


def test_quiet_leaves_the_terminal_to_the_program(box: Box) -> None:
    """The control is the same session without --quiet."""
    (box.workspace / ".env").write_text("x")
    said = {}
    for options in ((), ("--quiet",)):
        script = f"echo out; echo err >&2; touch .envrc Makefile; echo '{len(options)}' > .envrc; exit 7"
        done = box.agentbox("shell", "pi", *options, "--", "bash", "-c", script)
        assert (done.returncode, done.stdout) == (7, "out\n")
        said[options] = done.stderr
    assert "masked .env" in said[()]
    assert "run later by this machine" in said[()]
    assert said["--quiet",] == "err\n"
