"""`agentbox config` and `init`: what is in effect and why, what is wrong with a file, a first file."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path

import pytest

from agentbox import config_init, policy, toml_text
from agentbox.errors import PolicyError
from agentbox.policy_load import layers
from agentbox.policy_schema import KEYS, TABLES

AGENTS = policy.agent_names()
ODD = '"\\ \t\n\x7f\x9b\u202e\u2028é😀#]'


@pytest.fixture
def config(home: Path):
    """Writes the user's file."""

    def write(text: str) -> Path:
        path = home / ".config/agentbox/config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


LINES = '''\
title = "x"            # 1
[limits]
pids = 3
[vault]
deny = [ # a ] in a comment
  "first",
  # "second",
  "second",
]
[[tmpfs]]
path = "/a"
[[tmpfs]]
size = """
pids = 7
"""
path = "/b"
[agents.pi]
limits.memory = "1g"
env = { set = { A = "1" } }
"quoted key" = ["""
]"""]
[[agents.pi.tmpfs]]
path = "/c"
[last]
'''


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("title",), 1), (("limits",), 2), (("limits", "pids"), 3), (("vault", "deny"), 5), (("vault", "deny", 0), 6),
        (("vault", "deny", 1), 7), (("tmpfs", 0, "path"), 11), (("tmpfs", 1), 12), (("tmpfs", 1, "size"), 13),
        (("tmpfs", 1, "path"), 16), (("agents", "pi", "limits", "memory"), 18),
        (("agents", "pi", "env", "set", "A"), 19), (("agents", "pi", "quoted key"), 20),
        (("agents", "pi", "tmpfs", 0, "path"), 23), (("last",), 24),
    ],
)  # fmt: skip
def test_the_line_of_each_kind_of_key(place: toml_text.Place, line: int, ending: str):
    text = LINES.replace("\n", ending)
    tomllib.loads(text)
    assert toml_text.lines(text)[place] == line


def test_a_text_made_to_be_slow_ends_the_search():
    """Each of its lines could end the list, so each would be tried with all before it."""
    text = "a = [\n" + "['x'],\n" * 9000 + "]\nb = 1\n"
    assert toml_text.lines(text) == {("a",): 1}
    assert toml_text.lines("a = [\n" + "['x'],\n" * 90 + "]\nb = 1\n")[("b",)] == 93


@pytest.mark.parametrize("value", [ODD, "", True, False, 3, 0.5, ["a", ODD], []])
def test_a_written_value_is_read_back(value: object):
    text = toml_text.write(value)
    assert tomllib.loads(f"a = {text}") == {"a": value}
    assert text.isprintable()


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("option", [[], ["--origin"]])
def test_what_is_printed_means_the_same_as_a_file(call, config, tmp_path: Path, agent: str, option: list[str]):
    path = config(
        f"[agents.{agent}.env.set]\nODD = {toml_text.write(ODD.replace(chr(10), ''))}\n[limits]\npids = 99\n"
        '[guard]\ndeny = ["-.env", "mine"]\n[[tmpfs]]\npath = "/tmp"\nexec = true\nwhy = "tests"\n'
    )
    code, out, _ = call("config", agent, *option)
    assert code == 0
    printed = tmp_path / "printed.toml"
    # A list is added to what is shipped; what was taken back is the one thing that the printed file cannot repeat.
    printed.write_text(out.replace('".secrets"', '".secrets", "-.env"', 1) if not option else out)
    again, before = policy.load(agent, printed), policy.load(agent, path)
    same = {"origin": {}, "network": before.network, "guard": ()}
    assert again._replace(**same) == before._replace(**same)
    assert set(again.guard) - {".env"} == set(before.guard)


def origins(call, *arguments: str) -> dict:
    return dict(json.loads(call("config", *arguments, "--json")[1])["origin"])


def test_each_value_says_which_file_and_line_it_comes_from(call, config, home: Path):
    path = config('[limits]\npids = 99\nmemory = "4g"\n\n[agents.pi]\nlimits.pids = 98\nenv.set.A = "1"\n')
    Path(".agentbox.toml").write_text('# tighter\n[limits]\nmemory = "1g"\n[mask]\nglobs = [\n  "a",\n  "b",\n]\n')
    (path.parent / "allowed.toml").write_text('[[allow]]\nhost = "crates.io"\n')
    found = origins(call, "pi")
    assert found["limits.pids"] == f"{path}:6"
    assert found["limits.memory"] == f"{Path.cwd()}/.agentbox.toml:3"
    assert re.fullmatch(r"defaults\.toml:\d+", found["limits.cpus"])
    assert found["env.set.A"] == f"{path}:7"
    assert [found["mask.globs"][each].rpartition("/")[2] for each in "ab"] == [".agentbox.toml:6", ".agentbox.toml:7"]
    assert found["mask.globs"][".env"].startswith("defaults.toml:")
    assert found["network.hosts"]["crates.io"] == "allowed.toml"
    assert origins(call, "claude")["limits.pids"] == f"{path}:2"


@pytest.mark.parametrize("agent", AGENTS)
def test_no_value_is_without_its_line(call, agent: str):
    """But for those columns of tables that have a default of their own."""
    for key, places in origins(call, agent).items():
        for place in places if isinstance(places, list) else [{"": places}]:
            for column, where in place.items():
                texts = where.values() if isinstance(where, dict) else [where]
                built_in = key in TABLES and column in TABLES[key].defaults
                assert all(re.search(r"\.toml:\d+$", text) or (built_in and text == "built in") for text in texts), key


def test_a_remembered_version_is_in_effect_and_says_so(call, home: Path):
    state = home / ".local/state/agentbox"
    state.mkdir(parents=True)
    (state / "versions.json").write_text('{"pi": "9.9.9"}')
    found = json.loads(call("config", "pi", "--json")[1])
    assert found["policy"]["package"]["version"] == "9.9.9"
    assert found["origin"]["package.version"] == str(state / "versions.json")


WRONG = """\
[limits]
pids = 1
memory = "2g"
memroy = "1g"

[[tmpfs]]
path = "/ok"
size = "1m"
mode = "0700"

[[tmpfs]]
path = "/x"
size = "lots"
mode = "0700"

[agents.claude.limits]
cpus = "many"
"""


def test_check_names_every_mistake_with_its_line(call, config):
    path = config(WRONG)
    code, out, err = call("config", "check")
    assert (code, out) == (2, "")
    assert [line for line in err.splitlines() if not line.startswith("Hint")] == [
        f"agentbox: {path}:2: limits.pids must be a whole number from 16 to 4194304",
        f"agentbox: {path}:4: limits.memroy is not a known key",
        f"agentbox: {path}:13: tmpfs.size must be a size such as 512m or 8g",
        f"agentbox: {path}:17: agents.claude.limits.cpus must be a number of CPUs, at least 0.01",
    ]


def test_check_judges_a_projects_file_as_one(call, config):
    config("[limits]\npids = 99\n")
    text = '[limits]\npids = 120\n[image]\nbase = "evil"\n[vault]\ndeny = [\n  "x",\n  "-auth.json",\n]\n'
    text += '[[tmpfs]]\npath = "/x"\n[agents.claude.limits]\npids = 9999\n'
    Path("other.toml").write_text(text)
    Path(".agentbox.toml").write_text(text)
    code, _, err = call("config", "check", ".agentbox.toml")
    assert code == 2
    assert re.findall(r"^agentbox: \.agentbox\.toml:(\d+)", err, re.M) == ["2", "4", "8", "10", "13"]
    # The control: the user's own file may say all that, but for the entry that lacks its size.
    assert re.findall(r"^agentbox: .*", call("config", "check", "other.toml")[2], re.M) == [
        "agentbox: other.toml:10: tmpfs /x lacks size"
    ]


def test_check_of_a_good_file_says_nothing(call, config):
    config('[limits]\npids = 99\n[agents.pi.env.set]\nA = "1"\n')
    assert call("config", "check") == (0, "", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[limits\n", ":1: not valid TOML"),
        ("a = " + "[" * 30_000, "not valid TOML"),
        ('[limits]\n"\\u001b]52;c;x\\u0007" = 1\n', ":2: limits.\\x1b]52"),
        ("limits = 3\n", ":1: limits must be a table"),
        ("[[tmpfs]]\nsize = '1m'\n", ":1: tmpfs lacks path"),
        (
            '[[tmpfs]]\npath = "/tmp"\n[[tmpfs]]\npath = "/agent"\nsize = "1m"\nmode = "0700"\n',
            ":3: tmpfs /agent would",
        ),
        ("[agents.pie]\n", ":1: agents.pie is not a known key"),
    ],
)
def test_check_names_the_line_of_odd_mistakes(call, config, text: str, message: str):
    path = config(text)
    code, _, err = call("config", "check", str(path))
    assert code == 2
    assert f"{path}{message}" in err or f"{path}: {message}" in err, err
    assert "\x1b" not in err


def test_config_of_a_folder_that_is_not_there(call, home: Path):
    assert call("config", "-w", "nowhere")[0] == 2


def test_allowed_hosts_of_a_folder_with_any_name_are_read_back(call, home: Path):
    folder = home / ("😀 \x7f" + ODD.replace("\n", ""))
    folder.mkdir()
    os.chdir(folder)
    assert call("allow", "crates.io", "--here")[0] == 0
    assert "crates.io" in call("config", "pi")[1]
    os.chdir(home / "project")
    assert "crates.io" not in call("config", "pi")[1]


def test_check_of_nothing(call, home: Path):
    assert call("config", "check")[0] == 0
    assert call("config", "check", "nowhere.toml")[0] == 2


# --- what a project may say, for each key -------------------------------------------------------------------------------

# By how a project's file may set a key: what it may say, and what it may not.
MAY = {
    "lower": {
        "limits.pids": ("100", "151"), "limits.memory": ('"1g"', '"9g"'), "limits.cpus": ("1.5", "4.5"),
        "limits.nofile": ("1024", "16385"),
    },
    "extend": {
        "vault.deny": ('["x"]', '["-auth.json"]'), "guard.deny": ('["x"]', '["x", "-.env"]'),
        "mask.globs": ('["x"]', '["-.env"]'), "env.hide": ('["X"]', '["-ANTHROPIC_API_KEY"]'),
    },
    "remove": dict.fromkeys(
        ("network.hosts", "network.private", "network.setup"), ('["-pi.dev"]', '["evil.example"]')
    ),
    "raise": {"network.mode": ('"none"', '"open"')},
}  # fmt: skip
# For a key that a project may not set at all: a value that is fine elsewhere.
SAMPLES = (
    '"x"', '"/x"', '["x"]', '["/x"]', '["X"]', "7", '{ X = "1" }', '"npm"', '{ "x.example" = "192.0.2.1" }', '{ x = "/x" }', '{ x = ["y"] }', "true", "0.5", '"read"', '"native"'
)  # fmt: skip


def test_every_way_to_tighten_is_tested():
    assert {name for names in MAY.values() for name in names} == {name for name, key in KEYS.items() if key.tighten}
    assert all(KEYS[name].tighten == kind for kind, names in MAY.items() for name in names)


def project(key: str, value: str, prefix: str = "") -> str:
    section, _, last = key.rpartition(".")
    table = f"{prefix}{section}".rstrip(".")
    return f"\n[{table}]\n\n{last} = {value}\n" if table else f"{last} = {value}\n"


@pytest.mark.parametrize("prefix", ["", "agents.pi."])
@pytest.mark.parametrize("key", [name for names in MAY.values() for name in names])
def test_a_project_may_only_tighten(tmp_path: Path, key: str, prefix: str):
    tighter, looser = MAY[KEYS[key].tighten][key]
    (tmp_path / ".agentbox.toml").write_text(project(key, tighter, prefix))
    assert layers("pi", None, tmp_path).values[key] != layers("pi", None, None).values.get(key) or key in (
        "network.private", "network.setup"
    )  # fmt: skip

    (tmp_path / ".agentbox.toml").write_text(project(key, looser, prefix))
    with pytest.raises(PolicyError, match=rf"\.agentbox\.toml:4: {prefix}{key} may only be"):
        layers("pi", None, tmp_path)


@pytest.mark.parametrize("prefix", ["", "agents.pi."])
@pytest.mark.parametrize("key", [name for name, key in KEYS.items() if not key.tighten])
def test_a_project_may_not_set_what_cannot_be_tightened(tmp_path: Path, key: str, prefix: str):
    value = next(text for text in SAMPLES if not KEYS[key].check(tomllib.loads(f"a = {text}")["a"]))
    user = tmp_path / "config.toml"
    user.write_text(project(key, value, prefix))
    assert layers("pi", user, None).sources[-1].name == str(user)  # the control: the user may

    (tmp_path / ".agentbox.toml").write_text(user.read_text())
    line = 4 if "." in prefix + key else 1
    with pytest.raises(PolicyError, match=rf"\.agentbox\.toml:{line}: {prefix}{key} may not be set by a workspace"):
        layers("pi", None, tmp_path)


@pytest.mark.parametrize("prefix", ["", "agents.pi."])
@pytest.mark.parametrize("table", TABLES)
def test_a_project_may_not_have_any_table(tmp_path: Path, table: str, prefix: str):
    (tmp_path / ".agentbox.toml").write_text(f"\n[[{prefix}{table}]]\n{TABLES[table].identity} = '/x'\n")
    with pytest.raises(PolicyError, match=rf"\.agentbox\.toml:2: {prefix}{table} may not be set by a workspace"):
        layers("pi", None, tmp_path)


# --- init -----------------------------------------------------------------------------------------------------------------


def uncommented(text: str) -> str:
    """The template with its examples switched on; prose stays a comment."""
    lines = [re.sub(r"^# (?=\[|\w+ = )", "", line) for line in text.splitlines()]
    return "\n".join(lines)


def test_init_writes_a_project_file_that_changes_nothing(call, home: Path):
    before = call("config", "pi")[1]
    assert call("init") == (0, ".agentbox.toml\n", "")
    assert call("config", "pi")[1] == before
    assert call("config", "check", ".agentbox.toml") == (0, "", "")


def test_every_example_of_the_project_file_is_accepted(call, home: Path):
    text = uncommented(config_init.WORKSPACE)
    assert set(tomllib.loads(text)) == {"limits", "mask", "guard", "network", "env", "agents"}
    Path(".agentbox.toml").write_text(text)
    assert call("config", "check", ".agentbox.toml") == (0, "", "")


def test_every_example_of_the_users_file_is_accepted(call, config):
    text = uncommented(config_init.USER)
    assert set(tomllib.loads(text)) == {"limits", "image", "network", "mask", "credential", "agents"}
    config(text)
    assert call("config", "check") == (0, "", "")


def test_init_for_the_user(call, home: Path):
    path = home / ".config/agentbox/config.toml"
    assert call("init", "--user") == (0, f"{path}\n", "")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_uid == (1000 if os.geteuid() == 0 else os.geteuid())


@pytest.mark.parametrize("what", ["file", "symlink", "dangling"])
def test_init_overwrites_nothing_and_follows_no_link(call, home: Path, what: str):
    target = home / "target"
    if what != "dangling":
        target.write_text("mine")
    Path(".agentbox.toml").write_text("mine") if what == "file" else Path(".agentbox.toml").symlink_to(target)
    code, out, err = call("init")
    assert (code, out) == (2, "")
    assert ".agentbox.toml: is there already" in err
    assert Path(".agentbox.toml").read_text() == "mine" if what != "dangling" else not target.exists()
