"""Harness versions that ship their tools as files: what such a file calls is a tool's doing, without any extension."""

import json
import subprocess
from pathlib import Path

import pytest
from node_process import HERE, environment

SECRET = "TOP-SECRET-7f3a"

# What a tool file does; `f` is the protected file. The reason makes a known leak of it.
TOOLS = {
    "sync": ("return fs.readFileSync(f, 'utf8')", None),
    "promise": ("return fs.promises.readFile(f, 'utf8')", None),
    "after-await": (
        "await null; await new Promise((go) => setTimeout(go, 5)); return fs.readFileSync(f, 'utf8')",
        None,
    ),
    "stream": ("let s = ''; for await (const c of fs.createReadStream(f)) s += c; return s", None),
    "new-ReadStream": ("let s = ''; for await (const c of new fs.ReadStream(f)) s += c; return s", None),
    "FileHandle": ("const h = await fs.promises.open(f); return h.readFile('utf8')", None),
    "stackTraceLimit": ("Error.stackTraceLimit = 0; return fs.readFileSync(f, 'utf8')", None),
    "prepareStackTrace": ("Error.prepareStackTrace = () => []; return fs.readFileSync(f, 'utf8')", None),
    "patched-getCallSites": ("util.getCallSites = () => []; return fs.readFileSync(f, 'utf8')", None),
    "beyond-200-frames": ("const deep = (n) => (n ? deep(n - 1) : fs.readFileSync(f, 'utf8')); return deep(400)", None),
    "worker": (
        "const w = new Worker(`require('worker_threads').parentPort.postMessage("
        "require('fs').readFileSync('${f}', 'utf8'))`, { eval: true });"
        "return new Promise((go, fail) => w.on('message', go).on('error', fail))",
        None,
    ),
    "process.binding": ("return fs.readFileSync(process.binding('fs').open(f, 0, 0), 'utf8')", None),
    "handed-to-a-timer": (
        "return new Promise((go, fail) => setTimeout(fs.readFile, 1, f, 'utf8', (e, s) => (e ? fail(e) : go(s))))",
        "no frame of the tool is left on the stack; the tool context, which the pi extension sets, is for that",
    ),
}
CASES = [
    pytest.param(body, id=name, marks=[pytest.mark.xfail(reason=leak, strict=True)] if leak else [])
    for name, (body, leak) in TOOLS.items()
]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A harness with one tool in dist/core/tools, and another folder called tools that is none of its."""
    root = tmp_path / "lib/harness"
    (root / "dist/core/tools").mkdir(parents=True)
    (tmp_path / "tools").mkdir()
    (root / "package.json").write_text('{"type": "module"}')
    (tmp_path / "key").write_text(SECRET)
    (root / "dist/cli.js").write_text("""
      import fs from "node:fs";
      const tell = (who, value) => console.log(who, value);
      const { run } = await import(process.argv[3]);
      const file = process.argv[2];
      tell("agent", fs.readFileSync(file, "utf8"));
      try { tell("tool", await run(file)); } catch (e) { tell("tool", e.code + " " + e.message); }
      tell("agent", await fs.promises.readFile(file, "utf8"));
      process.exit();
    """)
    return tmp_path


def _run(node: str, package: Path, tool: Path, body: str, guarded: bool = True) -> list[str]:
    tool.write_text(f"""
      import fs from "node:fs"; import util from "node:util"; import {{ Worker }} from "node:worker_threads";
      export async function run(f) {{ {body} }}
    """)
    policy = {"version": 2, "agent": "old", "tree": "/agent", "deny": ["key"], "frames": ["/dist/core/tools"]}
    policy |= {"paths": [], "read": [], "write": []}
    hook = ["--require", str(HERE / "preload.cjs")] if guarded else []
    (package / "bin").mkdir(exist_ok=True)
    cli = package / "bin/harness"
    cli.unlink(missing_ok=True)
    cli.symlink_to(package / "lib/harness/dist/cli.js")
    result = subprocess.run(
        [node, "--no-deprecation", *hook, str(cli), str(package / "key"), str(tool)],
        env=environment(AGENTBOX_TEST_POLICY=json.dumps(policy)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize("body", CASES)
def test_file_of_a_tool_is_denied_and_the_agent_is_not(node: str, package: Path, body: str) -> None:
    before, got, after = _run(node, package, package / "lib/harness/dist/core/tools/read.js", body)
    assert (before, after) == (f"agent {SECRET}", f"agent {SECRET}")
    assert got.startswith("tool EACCES") and "agentbox" in got


@pytest.mark.parametrize("body", [body for body, _ in TOOLS.values()], ids=list(TOOLS))
def test_control_without_the_guard_the_tool_reads(node: str, package: Path, body: str) -> None:
    _, got, _ = _run(node, package, package / "lib/harness/dist/core/tools/read.js", body, guarded=False)
    assert got == f"tool {SECRET}"


def test_folder_that_only_is_called_tools_is_no_tool(node: str, package: Path) -> None:
    _, got, _ = _run(node, package, package / "tools/read.js", TOOLS["sync"][0])
    assert got == f"tool {SECRET}"
