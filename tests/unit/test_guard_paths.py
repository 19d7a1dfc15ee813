"""One table of paths through both in-process guards: containers/guard in Python, js/ in JavaScript, on the same policy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "containers" / "guard"))

import agentbox_guard  # noqa: E402  it is no package, and is not installed

POLICY = {
    "version": 2,
    "agent": "test",
    "tree": "/agent",
    "deny": ["auth.json", "gh_*", "*.pem", ".secrets", ".pi/agent"],
    "paths": ["/agent/test/key", "/agent/test/backups"],
    "read": ["/agent/test/settings.json", "/agent/test/skills"],
    "write": ["/agent/test/skills/own"],
    "frames": [],
    "readers": ["read"],
    "spawners": ["bash"],
}
# path: denied to whoever reads
PATHS = {
    "/agent/test/key": True,
    "/agent/test/key.old": False,
    "/agent/test/backups": True,
    "/agent/test/backups/1/2": True,
    "/agent/test/backups2": False,
    "/agent/./test//key": True,
    "/agent/other/../test/key": True,
    "/agent/test/settings.json": False,
    "/workspace/auth.json": True,
    "/workspace/auth.json/below": True,
    "/workspace/my-auth.json": False,
    "/workspace/gh_token": True,
    "/workspace/a/gh_": True,
    "/workspace/GH_token": False,
    "/workspace/x.pem": True,
    "/workspace/x.pem.txt": False,
    "/workspace/.secrets/a/b": True,
    "/home/.pi/agent/x": True,
    "/home/.pi/other/agent": False,
    "/proc/self/environ": True,
    "/proc/12/task/12/environ": True,
    "/proc/self/mem": True,
    "/proc/cpuinfo": False,
    "/workspace/environ": False,
}


@pytest.fixture(scope="module")
def guard() -> agentbox_guard.Guard:
    return agentbox_guard.Guard(POLICY)


@pytest.mark.parametrize("path", PATHS)
def test_python_guard_denies_what_the_table_says(path: str, guard: agentbox_guard.Guard) -> None:
    assert (guard.rule(path, "/", writing=False) is not None) == PATHS[path]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_javascript_guard_says_the_same() -> None:
    source = f"""
      const {{ parsePolicy }} = require({json.dumps(str(ROOT / "js/policy.js"))});
      const {{ Guard }} = require({json.dumps(str(ROOT / "js/guard.js"))});
      const {{ READ }} = require({json.dumps(str(ROOT / "js/rules.js"))});
      const guard = new Guard();
      guard.add(parsePolicy({json.dumps(POLICY)}));
      const denied = {json.dumps(list(PATHS))}.map((path) => [path, guard.check(path, READ) !== null]);
      console.log(JSON.stringify(Object.fromEntries(denied)));
    """
    run = subprocess.run(["node", "-e", source], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == PATHS


@pytest.mark.parametrize(
    ("tool", "path", "refused"),
    [
        ("read", "/agent/test/settings.json", False),
        ("write", "/agent/test/settings.json", True),
        ("unknown", "/agent/test/skills/new/SKILL.md", True),
        ("write", "/agent/test/skills/own/x", False),
        ("write", "/workspace/x", False),
        ("read", "/agent/test/key", True),
        ("bash", "/agent/test/key", False),
    ],
)
def test_rights_by_tool(tool: str, path: str, refused: bool, guard: agentbox_guard.Guard) -> None:
    assert (guard.refusal(tool, {"path": path}, "/") is not None) == refused


CALLS = [
    {"filePath": "~/auth.json"},
    {"where": "~/auth.json"},
    {"image_url": "file:///workspace/%61uth.json"},
    {"file_path": "@auth.json"},
    {"edits": [{"path": "auth.json"}]},
    {"patch": "*** Begin Patch\n*** Update File: auth.json\n@@\n"},
    {"patch": "*** Begin Patch\n  *** Delete File:auth.json\r\n"},
    {"patch": "*** Begin Patch\n*** Update File: x\n*** Move to: .secrets/x\n"},
    {"diff": "--- a/x\n+++ b/auth.json\n"},
    {"path": "auth.json\0.txt"},
    {"path": "line\n/../auth.json"},
    {"file_path": "./" * 3000 + "auth.json"},
    {"dirs": ["a", "line\n/../.secrets"]},
]


@pytest.mark.parametrize("arguments", CALLS, ids=repr)
def test_paths_in_arguments_are_found(arguments: dict[str, object], guard: agentbox_guard.Guard) -> None:
    assert guard.refusal("write", arguments, "/workspace")


@pytest.mark.parametrize(
    "arguments",
    [
        {"pattern": "auth.json"},
        {"content": "mentions auth.json"},
        {"content": "line\n/agent/test/key\n"},
        {"path": "x" * 5000},
        {"path": "a\nb"},
        {"new_source": "first\n/agent/test/key"},
        {"file_text": "see\n/workspace/auth.json\n"},
        {"path": ""},
        {"path": 7},
    ],
    ids=repr,
)
def test_what_names_no_protected_file_passes(arguments: dict[str, object], guard: agentbox_guard.Guard) -> None:
    assert guard.refusal("write", arguments, "/workspace") is None


NAMES = (
    "link",
    "folder/key",
    "dangling",
    "second",
    "~/x",
    "file:///x",
    "@x",
    " link ",
    "aside/../link",
    "out/../link",
)


def test_links_are_followed(tmp_path: Path) -> None:
    secret = tmp_path / "state" / "key"
    secret.parent.mkdir()
    secret.write_text("x")
    guard = agentbox_guard.Guard({**POLICY, "paths": [str(secret)]})
    (tmp_path / "link").symlink_to(secret)
    (tmp_path / "folder").symlink_to(secret.parent)
    (tmp_path / "dangling").symlink_to(tmp_path / "state" / "auth.json")
    os.link(secret, tmp_path / "second")
    for folder in ("~", "file:", "aside"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").symlink_to(secret)
    (tmp_path / "out").symlink_to("/usr")
    (tmp_path / "@x").symlink_to(secret)
    (tmp_path / "plain").write_text("x")
    found = {name: guard.rule(name, str(tmp_path), writing=False) for name in NAMES}
    assert all(found.values()), found
    assert guard.rule("plain", str(tmp_path), writing=False) is None


@pytest.mark.parametrize(
    "broken", [{}, {**POLICY, "version": 1}, {**POLICY, "read": None}, {**POLICY, "deny": [], "paths": []}, []]
)
def test_a_malformed_policy_is_an_error(broken: object, tmp_path: Path) -> None:
    file = tmp_path / "firewall.json"
    file.write_text(json.dumps(broken))
    with pytest.raises(agentbox_guard.PolicyError):
        agentbox_guard.load(str(file))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_opencodes_guard_looks_at_the_same_arguments(tmp_path: Path) -> None:
    """A line end in a path, or a path that is long only as it is written, keeps neither guard from looking at it."""
    module = tmp_path / "arguments.mjs"
    shutil.copy(ROOT / "containers/opencode/guard/arguments.js", module)
    cases: dict[str, dict[str, object]] = {
        "a\nb": {"filePath": "a\nb"},
        "./" * 3000 + "x": {"path": "./" * 3000 + "x"},
        "/x": {"anything": "/x"},
        "": {"content": "first\n/x", "newString": "/x\n", "new_source": "a\n/x"},
    }
    source = f"""
      import {{ namedPaths }} from {json.dumps(str(module))};
      const cases = {json.dumps(cases)};
      console.log(JSON.stringify(Object.fromEntries(Object.entries(cases).map(([k, v]) => [k, namedPaths(v)]))));
    """
    run = subprocess.run(
        ["node", "--input-type=module", "-e", source], capture_output=True, text=True, check=True, timeout=30
    )
    found = json.loads(run.stdout)
    assert {name: set(paths) for name, paths in found.items()} == {name: {name} - {""} for name in cases}
