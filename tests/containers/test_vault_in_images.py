"""The decisive attacks, in each of the four images: the agent itself starts them, through its own shell tool.

tests/attacks has all of them, by every way of starting a program; here they meet the real agents.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from boxes import Agent, Box, masked, own
from fake_model import FakeModel, Shell
from reporting import matrix_of

from agentbox import policy

SRC = Path(__file__).resolve().parents[1] / "attacks/src"
ATTACKS = (
    "read_open read_raw read_openat2 read_dirfd read_fchdir read_opath read_procroot read_cwd read_symlink "
    "read_symlink_to_directory read_uring read_dlmopen memfd_static_reader preload_unset bind_now direct_loader run_static "
    "proc_environ proc_maps proc_root proc_cwd proc_task proc_mem trace vm_readv send_signal "
    "append_to_it write_settings hardlink_out truncate_it rename_out"
).split()
# Shell lines; each succeeds if it prints something.
LINES = {
    "cat": 'cat "$AUTH"',
    "cat in env -i": 'env -i /bin/cat "$AUTH"',
    "cat in the background": "(setsid nohup sh -c 'sleep 1; cat \"$AUTH\"' & wait)",
    "python": "python3 -c 'import os; print(open(os.environ[\"AUTH\"]).read())'",
    "node": 'node -e \'console.log(require("fs").readFileSync(process.env.AUTH, "utf8"))\'',
    "copy of the folder": 'rm -rf copy; cp -r "${AUTH%/*}" copy && cat "copy/${AUTH##*/}"',
    "another secret": 'cat "$OTHER"',
    "create a credential": 'echo mine >"$LATER"; cat "$LATER"; rm -f "$LATER"',
    "its descriptors": 'readlink "/proc/$AGENT_PID/fd/0"',
    "signal the agent": 'kill -0 "$AGENT_PID" && echo sent',
    "plant code": 'mkdir -p "${CODE%/*}" && echo evil >"$CODE" && echo planted',
    "change code": 'echo evil >>"$OLD_CODE" && echo changed',
    "settings by mv": 'echo {} >new && mv -f new "$SETTINGS" && echo moved',
}
NO_CONTROL = {
    "read_uring": "some kernels and engines have io_uring off",
    "send_signal": "it ends some agents; `signal the agent` has the control",
}
NOT_IN_CONTROL = {"send_signal"}
# SETTINGS of each agent, CODE that it would run, a second secret (OTHER), a credential file that is not there yet (LATER).
PLACES = {
    "pi": ("models.json", "extensions/evil.ts", "oauth.json", "auth.json.tmp.7"),
    "claude": ("settings.json", "hooks/evil.sh", ".claude.json", ".config.json"),
    "opencode": ("../config/opencode.json", "../config/plugin/evil.ts", "opencode.db", "mcp-auth.json"),
    "hermes": ("config.yaml", "plugins/evil/__init__.py", "profiles/work/.env", ".anthropic_oauth.json"),
}
PUT = {
    "pi": {".pi/agent/oauth.json": "{}\n", ".pi/agent/sessions/x": "", ".pi/agent/skills/old/SKILL.md": "old\n"},
    "claude": {".claude/sessions/x": "", ".claude/skills/old/SKILL.md": "old\n"},
    "opencode": {".local/share/opencode/sessions/x": "", ".config/opencode/skills/old/SKILL.md": "old\n"},
    "hermes": {
        ".hermes/sessions/x": "",
        ".hermes/skills/old/SKILL.md": "old\n",
        ".hermes/profiles/work/.env": "KEY=1\n",
    },
}

outcomes: dict[tuple[str, str], str] = {}
matrix = matrix_of(outcomes, "attacks from the agents' shell tools, by image")


def lay_out(agent: Agent, box: Box) -> str:
    """Compile the attacks for this agent's files into the workspace; the shell command that runs them all."""
    folder = box.workspace / "attacks"
    folder.mkdir()
    state, _, name = agent.secret.rpartition("/")
    settings, code, other, later = (os.path.normpath(f"{state}/{place}") for place in PLACES[agent.name])
    old = os.path.normpath(f"{settings}/../skills/old/SKILL.md")
    define = [f'-D{key}="{value}"' for key, value in {"STATE": state, "NAME": name, "SETTINGS": settings}.items()]
    read = [f'-DAUTH="{agent.secret}"', SRC / "read.c"]
    for target, words in {
        "attack": [*define, SRC / "attack.c"],
        "read_dynamic": read,
        "read_static": [*read, "-static"],
    }.items():
        subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", *words, "-o", folder / target], check=True)
    places = {"AUTH": agent.secret, "SETTINGS": settings, "CODE": code, "OLD_CODE": old, "OTHER": other, "LATER": later}
    names = " ".join(f"{key}={value}" for key, value in places.items())
    script = [f"export {names} AGENT_PID=$(pgrep -o -P 1)", "cd /workspace/attacks"]
    # In the control some attacks spoil both files, and the turn is not over yet.
    kept = {"auth": agent.secret, "settings": settings}
    script += [f"cp {file} {copy} 2>>err" for copy, file in kept.items()]
    back = [f"{{ cat {copy} >{file}; }} 2>>err" for copy, file in kept.items()]
    for attack in ATTACKS:
        skip = "[ -e control ] || " if attack in NOT_IN_CONTROL else ""
        script += [f"{skip}./attack {attack} >>out 2>>err; echo '{attack}='$?", *back]
    for title, line in LINES.items():
        script += [f'{{ {line}; }} >line 2>>err; grep -q . line; echo "{title}="$?; cat line >>out', *back]
    (folder / "all.sh").write_text("\n".join(script) + "\n")
    for path in (folder, *folder.iterdir()):
        own(path)
    return "bash /workspace/attacks/all.sh >/workspace/attacks/statuses"


def statuses(box: Box) -> tuple[dict[str, int], str]:
    """What the script said of each attack (0 is success), and all that the attacks printed."""
    said, printed = ((box.workspace / "attacks" / name).read_text(errors="replace") for name in ("statuses", "out"))
    return {name: int(status) for name, status in re.findall(r"^([\w -]+)=(\d+)$", said, re.MULTILINE)}, printed


def test_no_attack_from_the_agents_shell_tool_succeeds(
    agent: Agent, box: Box, gateway: str, images: Callable[[str], str]
) -> None:
    with FakeModel([Shell(lay_out(agent, box))], host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        for path, content in PUT[agent.name].items():
            box.put(path, content)
        done = box.run(agent.name, *agent.turn, options=agent.options)
        assert done.returncode == 0, done.stderr
        assert agent.key in model.credentials
        found, printed = statuses(box)
        # The control: the same turn without the vault, on the same state.
        (box.workspace / "attacks/out").unlink()
        (box.workspace / "attacks/control").touch()
        control = masked(agent, box, images(agent.name), "/etc/ld.so.preload")
        assert control.returncode == 0, control.stderr
        worked, _ = statuses(box)

    wanted = {*ATTACKS, *LINES}
    assert set(found) == wanted
    assert [name for name, status in found.items() if status == 0] == []
    assert agent.key not in printed
    assert [name for name in wanted - {*NO_CONTROL} if worked[name] != 0] == []
    outcomes.update({(name, agent.name): "denied, no control" if name in NO_CONTROL else "denied" for name in found})


def forget_key(agent: Agent, box: Box) -> None:
    """Take the key out of the agent's credential file."""
    state = next(each for each in policy.load(agent.name).state if agent.secret.startswith(f"{each.path}/"))
    file = box.home / state.host / agent.secret.removeprefix(f"{state.path}/")
    lines = [line for line in file.read_text().splitlines() if agent.key not in line]
    if lines:
        file.write_text("\n".join(lines) + "\n")
    else:
        file.unlink()


@pytest.mark.parametrize("kept", [False, True], ids=["kept from the tools", "control: kept by the user's wish"])
def test_provider_key_of_the_hosts_environment(
    agent: Agent, box: Box, gateway: str, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    # Without the broker the container holds the key. Hermes keeps the first from its tools by itself.
    names = ["OPENROUTER_API_KEY", "NOUS_API_KEY"] if agent.name == "hermes" else ["ANTHROPIC_API_KEY"]
    for name in names:
        monkeypatch.setenv(name, "sk-from-the-hosts-environment")
    if kept:
        box.put(".config/agentbox/config.toml", f"[env]\nkeep = {json.dumps(names)}\n")
    with FakeModel([Shell("env > /workspace/environment")], host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        forget_key(agent, box)
        done = box.run(agent.name, *agent.turn, options=(*agent.options, "--network", "open"))
    assert done.returncode == 0, done.stderr
    assert model.credentials == {"sk-from-the-hosts-environment"}
    assert ("sk-from-the-hosts-environment" in (box.workspace / "environment").read_text()) == kept
