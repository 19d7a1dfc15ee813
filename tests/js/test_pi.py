"""A turn of the real pi against a model that follows a script: its tools are stopped, the agent itself is not."""

import json
import os
import struct
import subprocess
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fake_model import FakeModel
from node_process import FIREWALL, HERE, ROOT, environment

pytestmark = pytest.mark.npm

GUARD = ROOT / "containers/pi/extensions/agentbox-guard"
KEY = "sk-ant-TOP-SECRET-7f3a"


@dataclass(frozen=True)
class Call:
    """One call of a tool by its name."""

    tool: str
    input: Mapping[str, object]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.tool,)

    def arguments(self, _: object) -> Mapping[str, object]:
        return self.input


@dataclass
class Pi:
    """pi in a home and a project of its own."""

    node: str
    modules: Path
    root: Path
    extensions: Sequence[Path] = (GUARD,)
    preload: bool = True
    options: Sequence[str] = ()
    cli: str = "@earendil-works/pi-coding-agent/dist/bundle/cli.js"
    extra: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.agent = self.root / "home/.pi/agent"
        self.work = self.root / "work"
        self.agent.mkdir(parents=True)
        self.work.mkdir()
        self.auth = self.agent / "auth.json"
        self.auth.write_text(json.dumps({"anthropic": {"type": "api_key", "key": KEY}}))
        self.auth.chmod(0o600)
        (self.work / "plain.txt").write_text("ordinary TOKEN here\n")
        (self.work / ".env").write_text(f"TOKEN={KEY}\n")

    def environment(self) -> Mapping[str, str]:
        deny = ["auth.json", ".env", "gh_*"]
        policy = {
            "version": 2,
            "agent": "pi",
            "tree": str(self.agent),
            "deny": deny,
            "paths": [str(self.auth)],
            "read": [str(self.agent / name) for name in ("settings.json", "models.json", "extensions", "skills")],
            "write": [],
            "frames": ["/dist/core/tools"],
        }
        rg = next(self.modules.glob("@vscode/ripgrep-*/bin"))
        return environment(
            HOME=str(self.root / "home"),
            PI_OFFLINE="1",
            AGENTBOX_TEST_POLICY=json.dumps(policy),
            PATH=f"{rg}:{Path(self.node).parent}:{os.environ['PATH']}",
            **self.extra,
        )

    def command(self, model: FakeModel, *mode: str) -> list[str]:
        (self.agent / "models.json").write_text(json.dumps({"providers": {"anthropic": {"baseUrl": model.url}}}))
        hook = ["--require", str(HERE / "preload.cjs")] if self.preload else []
        cli = self.modules / self.cli
        load = [word for path in self.extensions for word in ("--extension", str(path))]
        choice = ["--provider", "anthropic", "--model", "claude-sonnet-4-5", *self.options]
        return [self.node, *hook, str(cli), *load, *choice, *mode]

    def run(self, script: Sequence[Call]) -> tuple[subprocess.CompletedProcess[str], FakeModel]:
        with FakeModel(script) as model:
            result = subprocess.run(
                self.command(model, "-p", "go"),
                env=self.environment(),
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        return result, model

    @contextmanager
    def rpc(self, script: Sequence[Call]) -> Iterator[tuple[subprocess.Popen[str], FakeModel]]:
        with FakeModel(script) as model:
            pipe = subprocess.PIPE
            command, env = self.command(model, "--mode", "rpc"), self.environment()
            with subprocess.Popen(command, env=env, cwd=self.work, stdin=pipe, stdout=pipe, text=True) as process:
                try:
                    yield process, model
                finally:
                    process.kill()


SCRIPT = [
    Call("read", {"path": "~/.pi/agent/auth.json"}),
    Call("read", {"path": ".env"}),
    Call("read", {"path": "link"}),
    Call("edit", {"path": ".env", "edits": [{"oldText": "TOKEN", "newText": "X"}]}),
    Call("write", {"path": "~/.pi/agent/auth.json", "content": "{}"}),
    Call("read", {"path": "plain.txt"}),
    Call("write", {"path": "new.txt", "content": "made"}),
    Call("edit", {"path": "new.txt", "edits": [{"oldText": "made", "newText": "changed"}]}),
    Call("grep", {"pattern": "TOKEN"}),
    Call("grep", {"pattern": "TOKEN", "context": 1, "glob": "*"}),
    Call("ls", {}),
]
DENIED = 5


@pytest.fixture
def pi(node: str, node_modules: Path, tmp_path: Path) -> Pi:
    made = Pi(node, node_modules, tmp_path, options=("--tools", "read,write,edit,grep,ls"))
    (made.work / "link").symlink_to(made.auth)
    return made


def test_control_without_guard_the_tools_read_the_key(pi: Pi) -> None:
    pi.extensions, pi.preload = (), False
    result, model = pi.run([SCRIPT[0], SCRIPT[1], SCRIPT[2], SCRIPT[8]])
    assert result.returncode == 0, result.stderr
    assert all(KEY in got for got in model.results), model.results
    assert len(model.results) == 4


def test_tools_are_denied_and_the_agent_still_uses_its_key(pi: Pi) -> None:
    result, model = pi.run(SCRIPT)
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "DONE", "")
    assert model.credentials == {KEY}
    assert "ordinary TOKEN" in next(pi.agent.glob("sessions/*/*.jsonl")).read_text(), "pi keeps its own state"
    assert len(model.results) == len(SCRIPT)
    for got in model.results[:DENIED]:
        assert "EACCES: permission denied" in got and "agentbox: protected by" in got and "Hint: " in got
    read, _, edited, found, in_context, listed = model.results[DENIED:]
    assert "ordinary TOKEN here" in read
    assert (pi.work / "new.txt").read_text() == "changed", edited
    for got in (found, in_context):
        assert (
            "plain.txt:1: ordinary TOKEN here" in got
            and "agentbox: lines of protected files that are not shown: 1" in got
        )
    assert "plain.txt" in listed
    assert all(KEY not in got for got in model.results)
    assert KEY in pi.auth.read_text() and KEY in (pi.work / ".env").read_text()


def test_tools_run_in_the_context_even_where_the_argument_says_nothing(pi: Pi) -> None:
    """The call's check looks at arguments; what stops a path that a tool makes up itself is the tool context."""
    blind = pi.root / "blind/index.js"
    blind.parent.mkdir()
    for name in ("arguments.js", "matches.js"):
        (blind.parent / name).write_text((GUARD / name).read_text())
    call = (
        "const denied = checkInput(event.toolName, event.input, ctx.cwd, firewall, CHANGING.includes(event.toolName));"
    )
    source = (GUARD / "index.js").read_text()
    assert call in source
    blind.write_text(source.replace(call, "const denied = null;"))
    pi.extensions = (blind,)
    result, model = pi.run(SCRIPT[:5])
    assert result.returncode == 0, result.stderr
    assert len(model.results) == DENIED
    assert all("EACCES" in got or "Permission denied" in got for got in model.results), model.results
    assert KEY in pi.auth.read_text() and KEY in (pi.work / ".env").read_text()


def test_default_tools_stay_the_default(pi: Pi) -> None:
    pi.options = ()
    result, model = pi.run([])
    assert result.returncode == 0, result.stderr
    assert sorted(model.requests[-1].summary()["tools"]) == ["bash", "edit", "read", "write"]


OTHER = """
  import { readFileSync, writeFileSync } from "node:fs";
  const text = (text) => ({ content: [{ type: "text", text }] });
  const parameters = { type: "object", properties: { file: { type: "string" }, text: { type: "string" } } };
  const tool = (name, execute) => ({ name, label: name, description: name, parameters, execute });
  class Counting {
    #calls = 0;
    name = "count"; label = "count"; description = "count"; parameters = parameters;
    async execute() { this.#calls += 1; return text(`call ${this.#calls}`); }
  }
  export default (pi) => {
    pi.registerTool(tool("show", async (id, { file }) => text(readFileSync(file, "utf8"))));
    pi.registerTool(tool("blind", async (id, { text: name }) => text(readFileSync(name.split("").reverse().join(""), "utf8"))));
    pi.registerTool(tool("plant", async (id, { text: name }) => text(String(writeFileSync(name, "x")))));
    pi.registerTool(tool("ask", async (id, input, signal, onUpdate, ctx) =>
      text(String(await ctx.modelRegistry.getApiKeyForProvider("anthropic")).length > 0 ? "has a key" : "has none")));
    pi.registerTool(new Counting());
    pi.on("session_start", () => pi.registerTool(tool("late", async (id, { text: name }) => text(readFileSync(name, "utf8")))));
  };
"""


@pytest.mark.parametrize("guarded", [False, True], ids=["control", "guarded"])
def test_tools_of_other_extensions_run_in_the_context(pi: Pi, guarded: bool) -> None:
    """Whether the path is an argument, made up inside, or the tool registered late; their own work goes on."""
    other = pi.root / "other.js"
    other.write_text(OTHER)
    pi.extensions, pi.options, pi.preload = (GUARD, other) if guarded else (other,), (), guarded
    planted = pi.agent / "extensions/evil.js"
    planted.parent.mkdir()
    attacks = [
        Call("show", {"file": ".env"}),
        Call("blind", {"text": "vne."}),
        Call("plant", {"text": str(planted)}),
        Call("late", {"text": ".env"}),
    ]
    work = [Call("show", {"file": "plain.txt", "text": ".env"}), Call("count", {}), Call("count", {}), Call("ask", {})]
    result, model = pi.run([*attacks, *work])
    assert (result.returncode, result.stderr) == (0, "")
    assert len(model.results) == len(attacks) + len(work)
    for got in (model.results[0], model.results[1], model.results[3]):
        assert ("agentbox: protected by name .env" in got) is guarded
        assert (KEY in got) is not guarded
    assert planted.exists() is not guarded
    read, first, second, key = model.results[len(attacks) :]
    assert "ordinary TOKEN here" in read
    assert (first, second, key) == ("call 1", "call 2", "has a key")


def test_own_tools_read_settings_and_skills_but_do_not_change_them(pi: Pi) -> None:
    skill = pi.agent / "skills/greet/SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("---\nname: greet\ndescription: greets\n---\nsay hello TOKEN\n")
    (pi.work / "skill").symlink_to(skill.parent)
    (pi.agent / "extensions").mkdir()
    refused = [
        Call("write", {"path": "~/.pi/agent/extensions/evil.js", "content": "x"}),
        Call("write", {"path": "~/.pi/agent/settings.json", "content": "{}"}),
        Call("write", {"path": "~/.pi/agent/hooks.json", "content": "{}"}),
        Call("edit", {"path": "skill/SKILL.md", "edits": [{"oldText": "TOKEN", "newText": "X"}]}),
        Call("write", {"path": "skill/other.md", "content": "x"}),
    ]
    allowed = [
        Call("read", {"path": "~/.pi/agent/skills/greet/SKILL.md"}),
        Call("read", {"path": "skill/SKILL.md"}),
        Call("ls", {"path": "~/.pi/agent/skills"}),
        Call("grep", {"pattern": "TOKEN", "path": str(pi.agent / "skills")}),
    ]
    result, model = pi.run([*refused, *allowed])
    assert result.returncode == 0, result.stderr
    assert len(model.results) == len(refused) + len(allowed)
    for got in model.results[: len(refused)]:
        assert "EACCES: permission denied" in got and "its tools m" in got and "agentbox setup pi" in got
    for got, word in zip(model.results[len(refused) :], ("hello TOKEN", "hello TOKEN", "greet", "TOKEN"), strict=True):
        assert word in got and "agentbox" not in got
    assert "TOKEN" in skill.read_text()
    assert list(skill.parent.iterdir()) == [skill]
    assert not list((pi.agent / "extensions").iterdir()) and not (pi.agent / "hooks.json").exists()


def test_control_without_guard_own_tools_plant_extensions(pi: Pi) -> None:
    pi.extensions, pi.preload = (), False
    pi.run([Call("write", {"path": "~/.pi/agent/extensions/evil.js", "content": "export default () => {}"})])
    assert (pi.agent / "extensions/evil.js").exists()


def test_guard_without_the_hook_ends_with_125(pi: Pi) -> None:
    pi.preload = False
    result, model = pi.run([SCRIPT[0]])
    assert (result.returncode, model.results) == (125, [])
    assert "js/app-firewall.js is not loaded in this process" in result.stderr


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ("createReadToolDefinition: undefined", "the package has no createReadToolDefinition()"),
        ('createEditToolDefinition: () => ({ name: "edit" })', 'returned no tool "edit" with execute()'),
        ("SettingsManager: {}", "SettingsManager has no create()"),
        ("ExtensionRunner: undefined", "ExtensionRunner has no getAllRegisteredTools()"),
    ],
)
def test_changed_api_of_pi_ends_with_125(pi: Pi, change: str, cause: str) -> None:
    """The extension on a host module from which one thing is missing, as a later pi may have it."""
    changed = pi.root / "changed/index.js"
    changed.parent.mkdir()
    for name in ("arguments.js", "matches.js"):
        (changed.parent / name).write_text((GUARD / name).read_text())
    source = (GUARD / "index.js").read_text().replace("const host = await", "const hostModule = await")
    changed.write_text(
        source.replace("\nconst GUARDED", f"\nconst host = {{ ...hostModule, {change} }};\nconst GUARDED")
    )
    pi.extensions = (changed,)
    result, model = pi.run([SCRIPT[0]])
    assert (result.returncode, model.results) == (125, []), result.stderr
    assert cause in result.stderr


@pytest.fixture
def old_pi(node: str, old_node_modules: Path, tmp_path: Path) -> Pi:
    cli = "@mariozechner/pi-coding-agent/dist/cli.js"
    made = Pi(node, old_node_modules, tmp_path, options=("--tools", "read,write,edit,grep,ls"), cli=cli)
    (made.work / "link").symlink_to(made.auth)
    return made


@pytest.mark.parametrize("guard", ["frames", "frames and extension"])
def test_old_pi_with_tools_as_files_is_guarded(old_pi: Pi, guard: str) -> None:
    """The frames of its tool files are enough; the extension adds the sentence and what a child process finds."""
    old_pi.extensions = (GUARD,) if "extension" in guard else ()
    result, model = old_pi.run([*SCRIPT[:DENIED], Call("read", {"path": "plain.txt"}), SCRIPT[8]])
    assert result.returncode == 0, result.stderr
    assert model.credentials == {KEY}
    assert len(model.results) == DENIED + 2
    assert all("EACCES" in got and KEY not in got for got in model.results[:DENIED])
    assert "ordinary TOKEN" in model.results[DENIED]
    assert (KEY in model.results[-1]) is (guard == "frames"), "grep runs ripgrep, whose lines only the extension sees"
    assert KEY in old_pi.auth.read_text() and KEY in (old_pi.work / ".env").read_text()


def test_control_old_pi_without_guard_reads_the_key(old_pi: Pi) -> None:
    old_pi.extensions, old_pi.preload = (), False
    _, model = old_pi.run(SCRIPT[:3])
    assert len(model.results) == 3
    assert all(KEY in got for got in model.results)


def with_real_entry(pi: Pi) -> Path:
    """The hook as the entrypoint loads it, through NODE_OPTIONS; only its policy file is not the one of /etc."""
    wrapper = pi.root / "wrapper.cjs"
    wrapper.write_text("""
      const fs = require('fs'); const read = fs.readFileSync; const policy = process.env.AGENTBOX_TEST_POLICY;
      fs.readFileSync = (file, ...rest) => (file === '/etc/agentbox/firewall.json' ? policy : read(file, ...rest));
    """)
    pi.preload = False
    pi.extra = {"NODE_OPTIONS": f"--require {wrapper} --require {FIREWALL}", **pi.extra}
    return wrapper


def test_tools_children_do_not_inherit_the_hook(pi: Pi) -> None:
    wrapper = with_real_entry(pi)
    pi.options = ()
    result, model = pi.run([Call("bash", {"command": "echo options=$NODE_OPTIONS."}), SCRIPT[0]])
    assert result.returncode == 0, result.stderr
    assert f"options=--require {wrapper}." in model.results[0]
    assert "agentbox: protected by" in model.results[1]


@pytest.mark.parametrize("guarded", [False, True], ids=["control", "guarded"])
def test_agent_runs_no_code_from_caches_that_tools_can_write(pi: Pi, guarded: bool) -> None:
    caches = pi.root / "tmp"
    caches.mkdir()
    plain = pi.root / "plain.js"
    plain.write_text("export default () => {};\n")
    pi.extensions = (GUARD, plain) if guarded else (plain,)
    pi.preload = False
    pi.extra = {"TMPDIR": str(caches), "JITI_RESPECT_TMPDIR_ENV": "1"}
    if guarded:
        with_real_entry(pi)
    result, _ = pi.run([])
    assert result.returncode == 0, result.stderr
    made = {path.name for path in caches.iterdir()}
    assert (made & {"jiti", "node-compile-cache"}) == (set() if guarded else {"jiti", "node-compile-cache"})


def test_image_is_read_and_resized_inside_the_context(pi: Pi) -> None:
    """pi resizes images in a worker of its own, which a tool starts."""
    (pi.work / "wide.png").write_bytes(png(3000, 2000))
    result, model = pi.run([Call("read", {"path": "wide.png"})])
    assert result.returncode == 0, result.stderr
    assert "Read image file [image/png]" in model.results[0]
    assert "original 3000x2000" in model.results[0]


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x40\x80\xc0" * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_second_session_of_one_process_is_guarded(pi: Pi) -> None:
    """/new and /reload make pi build its tools again; the RPC mode has new_session."""
    asked = [{"type": "prompt", "message": "go"}, {"type": "new_session"}, {"type": "prompt", "message": "go"}]
    with pi.rpc([SCRIPT[1]]) as (process, model):
        for message in asked:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
            wanted = "agent_settled" if message["type"] == "prompt" else "response"
            for line in process.stdout:
                if json.loads(line)["type"] == wanted:
                    break
        process.stdin.close()
        assert process.wait(30) == 0
    results = [request.results for request in model.requests if request.results]
    assert len(results) == 2
    assert all("agentbox: protected by name .env" in got for (got,) in results)
