"""The hook as node loads it: --require, policy file, NODE_OPTIONS, workers; the tables against the running node."""

import json
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from node_process import FIREWALL, HERE, ROOT, environment

AUTH = "/agent/pi/agent/auth.json"
POLICY: Mapping[str, Any] = {
    "version": 2,
    "agent": "pi",
    "tree": "/agent",
    "deny": [".env", "gh_*"],
    "paths": [AUTH],
    "read": ["/agent/pi/agent/extensions"],
    "write": [],
    "frames": [],
}
POLICY_FILE = Path("/etc/agentbox/firewall.json")


def _node(node: str, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    env = environment(**extra)
    return subprocess.run([node, *arguments], env=env, capture_output=True, text=True, timeout=60, check=False)


def _evaluate(node: str, source: str) -> str:
    """What an expression prints with js/ at hand."""
    result = _node(node, "-e", f"const js = (f) => require('{ROOT}/js/' + f); {source}")
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.skipif(
    POLICY_FILE.exists(), reason="this machine has a policy; run the tests outside an agentbox container"
)
def test_missing_policy_ends_with_125_and_one_line(node: str, firewall: Path) -> None:
    result = _node(node, "--require", str(firewall), "-e", "console.log('ran')")
    assert (result.returncode, result.stdout) == (125, "")
    assert result.stderr.splitlines() == [
        "agentbox: /etc/agentbox/firewall.json: no such file. "
        "Hint: start the agent through agentbox, which renders this file"
    ]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"version": 1}, "version 1 where 2 is known"),
        ({"tree": "agent"}, '"tree" holds "agent", which is not absolute'),
        ({"read": ["x"]}, '"read" holds "x", which is not absolute'),
        ({"write": 1}, '"write" is not a list'),
        ({"frames": ["tools"]}, '"frames" holds "tools"'),
        ({"agent": ""}, '"agent" is not a name'),
        ({"deny": "x"}, '"deny" is not a list'),
        ({"deny": [""]}, '"deny" holds ""'),
        ({"deny": ["*"]}, "only at its start or end"),
        ({"deny": ["a*b"]}, "only at its start or end"),
        ({"deny": ["a/../b"]}, "only at its start or end"),
        ({"deny": ["/etc/x"]}, 'absolute paths belong in "paths"'),
        ({"paths": ["x"]}, "which is not absolute"),
        ({"paths": ["/a/../b"]}, "without . and .."),
        ({"paths": ["/"]}, "below /"),
        ({"deny": [], "paths": []}, "it protects nothing"),
    ],
)
def test_malformed_policy_is_refused_with_the_cause(node: str, change: Mapping[str, Any], cause: str) -> None:
    policy = json.dumps({**POLICY, **change})
    attempt = (
        f"try {{ js('policy.js').parsePolicy({policy}) }} catch (e) {{ console.log(e.constructor.name, e.message) }}"
    )
    told = _evaluate(node, attempt)
    assert told.startswith("PolicyError")
    assert cause in told


@pytest.mark.parametrize(
    ("deny", "path", "protected"),
    [
        ("auth.json", "/a/auth.json", True),
        ("auth.json", "/a/auth.json/below", True),
        ("auth.json", "/a/xauth.json", False),
        ("auth.json", "/a/auth.json.lock", False),
        ("gh_*", "/w/gh_token", True),
        ("gh_*", "/w/xgh_token", False),
        ("*.pem", "/w/a.pem", True),
        ("*.pem", "/w/a.pem.txt", False),
        ("*key*", "/w/mykeys", True),
        ("a/b", "/x/a/b/c", True),
        ("a/b", "/x/a/y/b", False),
        (".pi/agent", "/home/agent/.pi/agent", True),
        ("zzz", "/proc/12/environ", True),
        ("zzz", "/proc/self/task/3/mem", True),
        ("zzz", "/proc/self/status", False),
        ("zzz", "/srv/proc/1/environ", False),
    ],
)
def test_names_match_whole_components(node: str, deny: str, path: str, protected: bool) -> None:
    policy = json.dumps({**POLICY, "deny": [deny]})
    source = f"""
      const {{ Rules, READ }} = js('rules.js');
      const rules = new Rules(js('policy.js').parsePolicy({policy}), (path) => path);
      console.log(rules.judge({path!r}, READ) === null);
    """
    assert (_evaluate(node, source) == "false") is protected


@pytest.fixture(params=["image", pytest.param("newest", marks=pytest.mark.npm)])
def each_node(request: pytest.FixtureRequest) -> str:
    """The node of the image, and the newest one from npm."""
    return request.getfixturevalue("node" if request.param == "image" else "newest_node")


def test_every_function_of_node_has_been_looked_at(each_node: str) -> None:
    """What a newer node adds is noticed here: give it a row in js/methods.js, or a reason in js/unguarded.js."""
    result = _node(each_node, str(HERE / "surface.cjs"))
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == []


def test_control_a_new_function_is_noticed(node: str, tmp_path: Path) -> None:
    newer = tmp_path / "newer.cjs"
    newer.write_text("const fs = require('fs'); fs.newSync = fs.promises.other = () => {}; process.door = 1;")
    result = _node(node, "--require", str(newer), str(HERE / "surface.cjs"))
    assert json.loads(result.stdout) == ["fs.new", "fs.other", "process.door"]


@pytest.mark.parametrize(
    ("call", "delivered"),
    [
        ("fs.readFileSync(f)", "thrown open"),
        ("fs.copyFileSync(f, g)", "thrown copyfile"),
        ("fs.createReadStream(f).on('error', (e) => told('event', e))", "event open"),
        ("fs.createWriteStream(f).on('error', (e) => told('event', e))", "event open"),
        ("fs.readFile(f, (e) => told('callback', e))", "callback open"),
        ("fs.readdir(f, (e) => told('callback', e))", "callback scandir"),
        ("fs.rename(g, f, (e) => told('callback', e))", "callback rename"),
        ("fs.promises.readFile(f).catch((e) => told('rejected', e))", "rejected open"),
        ("fs.promises.stat(f).catch((e) => told('rejected', e))", "rejected stat"),
        ("fs.openAsBlob(f).catch((e) => told('rejected', e))", "rejected open"),
        ("import(f).catch((e) => told('rejected', e))", "rejected realpath"),
        ("require(f)", "thrown realpath"),
    ],
)
def test_denial_comes_the_way_the_function_reports_errors(node: str, tmp_path: Path, call: str, delivered: str) -> None:
    """Synchronous calls throw; callbacks and events come later; promises reject. The error is node's own EACCES in shape."""
    file = tmp_path / "gh_file.json"
    file.write_text("{}")
    source = f"""
      const fs = require('fs'); const f = {str(file)!r}, g = {str(tmp_path / "g")!r};
      const {{ runAsTool }} = require({str(FIREWALL)!r}).installFrom({json.dumps(POLICY)});
      let returned = false;
      const told = (how, e) => {{
        const shape = [e instanceof Error, e.code, e.errno, e.path === f, /\\n/.test(e.message)].join();
        console.log(how, e.syscall, shape, how === 'thrown' || returned);
      }};
      runAsTool(() => {{ try {{ {call}; }} catch (e) {{ told('thrown', e); }} }});
      returned = true;
    """
    result = _node(node, "-e", source)
    assert result.stdout.strip() == f"{delivered} true,EACCES,-13,true,false true", result.stderr


def test_every_row_of_the_table_patches_something(node: str) -> None:
    source = f"""
      const fs = require('fs'); const {{ FS }} = js('methods.js');
      const before = {{ ...fs }}, promises = {{ ...fs.promises }};
      js('app-firewall.js').installFrom({json.dumps(POLICY)});
      const forms = (n) => [[fs[n], before[n]], [fs[n + 'Sync'], before[n + 'Sync']], [fs.promises[n], promises[n]]];
      const undressed = (now, old) => now === old || now.name !== old.name || now.length !== old.length;
      const bad = ([now, old]) => old !== undefined && undressed(now, old);
      const wrong = Object.keys(FS).filter((n) => forms(n).some(bad));
      console.log(JSON.stringify(wrong));
    """
    assert json.loads(_evaluate(node, source)) == []


@pytest.mark.parametrize(
    ("options", "rest"),
    [
        ("--require {hook}", ""),
        ("--require={hook}", ""),
        ("-r {hook} --max-old-space-size=512", "--max-old-space-size=512"),
        ('--require "{hook}" --require "/x y.js"', '--require "/x y.js"'),
        ("--require /other.js --require {hook} --trace-warnings", "--require /other.js --trace-warnings"),
    ],
)
def test_own_entry_leaves_node_options(node: str, options: str, rest: str) -> None:
    given = json.dumps(options.format(hook=FIREWALL))
    source = f"console.log(js('app-firewall.js').withoutEntry({given}, {json.dumps(str(FIREWALL))}))"
    assert _evaluate(node, source) == rest


def test_channel_cannot_be_replaced_or_left(node: str) -> None:
    source = f"""
      const {{ installFrom }} = js('app-firewall.js');
      const channel = installFrom({json.dumps(POLICY)});
      const {{ runAsTool }} = channel;
      const key = Symbol.for('agentbox.firewall');
      const tries = [
        () => {{ process[key] = {{}}; }}, () => {{ delete process[key]; }}, () => {{ process[key].runAsTool = 1; }},
        () => Object.defineProperty(process, key, {{ value: 1 }}), () => installFrom({json.dumps(POLICY)})];
      for (const attempt of tries) {{ try {{ attempt(); }} catch {{ }} }}
      console.log(process[key] === channel, channel.runAsTool === runAsTool, Object.keys(channel).join());
    """
    assert _evaluate(node, source) == "true true version,agent,runAsTool,check,protect"


@pytest.mark.parametrize(
    "get",
    [
        "require('fs/promises')",
        "require('node:fs/promises')",
        "require('module')._load('fs/promises')",
        "require('module')._load('node:fs/promises')",
        "require('module').createRequire('/tmp/')('fs/promises')",
        "process.getBuiltinModule('fs/promises')",
        "fs.promises",
        "Object.getOwnPropertyDescriptor(fs, 'promises').get()",
        "await import('fs/promises')",
        "(await import('fs')).promises",
    ],
)
def test_functions_kept_before_the_first_tool_are_patched_ones(each_node: str, tmp_path: Path, get: str) -> None:
    """fs.promises and Worker are patched late, when somebody asks for them: whichever way that is."""
    (tmp_path / ".env").write_text("TOP-SECRET")
    get_workers = get.replace("fs/promises", "worker_threads") if "fs/promises" in get else "require('worker_threads')"
    source = f"""
      const channel = require({str(FIREWALL)!r}).installFrom({json.dumps(POLICY)});
      const fs = require('fs'); process.chdir({str(tmp_path)!r});
      const main = async () => {{
        const {{ readFile }} = {get}; const {{ Worker }} = {get_workers};
        const look = "try {{ console.log(String(require('fs').readFileSync('.env'))) }} catch (e) {{ console.log(e.code) }}";
        const tool = async () => {{
          console.log(await readFile('.env', 'utf8').catch((e) => e.code));
          const worker = new Worker(look, {{ eval: true, execArgv: [] }});
          await new Promise((done) => worker.on('exit', done));
        }};
        await tool();
        await channel.runAsTool(tool);
      }};
      main();
    """
    result = _node(each_node, "-e", source)
    assert result.stdout.split() == ["TOP-SECRET", "TOP-SECRET", "EACCES", "EACCES"], result.stderr


@pytest.mark.parametrize("setup", [False, True], ids=["run", "setup"])
def test_setup_lets_tools_make_what_a_run_keeps_from_them(node: str, tmp_path: Path, setup: bool) -> None:
    """`agentbox setup` turns the right `read` into `write`; what is denied, and names that nobody listed, stay."""
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent/auth.json").write_text("TOP-SECRET")
    settings = [str(tmp_path / "agent" / name) for name in ("settings.json", "skills")]
    policy = {**POLICY, "tree": str(tmp_path), "paths": [str(tmp_path / "agent/auth.json")], "read": [], "write": []}
    policy["write" if setup else "read"] = settings
    source = f"""
      const fs = require('fs'); process.chdir({str(tmp_path / "agent")!r});
      const {{ runAsTool }} = require({str(FIREWALL)!r}).installFrom({json.dumps(policy)});
      const attempts = [
        () => fs.writeFileSync('settings.json', 'x'), () => fs.unlinkSync('settings.json'),
        () => fs.mkdirSync('skills/new', {{ recursive: true }}), () => fs.writeFileSync('skills/new/SKILL.md', 'x'),
        () => fs.readFileSync('auth.json'), () => fs.writeFileSync('other.json', 'x')];
      const said = (attempt) => {{ try {{ attempt(); return 'done'; }} catch (e) {{ return e.code; }} }};
      console.log(attempts.map((attempt) => runAsTool(() => said(attempt))).join());
    """
    allowed = "done" if setup else "EACCES"
    assert _evaluate(node, source) == ",".join([allowed] * 4 + ["EACCES"] * 2)


def test_second_hook_patches_nothing_and_adds_its_policy(node: str, tmp_path: Path) -> None:
    """Two agents or two copies of the hook in one process: what either policy protects is protected."""
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "js", copy)
    for name in (".env", "theirs.txt"):
        (tmp_path / name).write_text("x")
    other = {**POLICY, "agent": "other", "deny": ["theirs.txt"]}
    source = f"""
      const fs = require('fs'); process.chdir({str(tmp_path)!r});
      const first = js('app-firewall.js').installFrom({json.dumps(POLICY)});
      const once = [fs.readFileSync, fs.promises.open, require('worker_threads').Worker];
      const seen = [];
      const look = () => {{
        for (const f of ['.env', 'theirs.txt']) first.runAsTool(() => {{
          try {{ fs.readFileSync(f); seen.push('read'); }} catch (e) {{ seen.push(/only (.*) itself/.exec(e.message)[1]); }}
        }});
      }};
      look();
      const second = require({str(copy / "app-firewall.js")!r}).installFrom({json.dumps(other)});
      js('app-firewall.js').installFrom({json.dumps(POLICY)});
      look();
      const now = [fs.readFileSync, fs.promises.open, require('worker_threads').Worker];
      const unchanged = second === first && once.every((f, i) => f === now[i]);
      const {{ Worker }} = require('worker_threads');
      const w = first.runAsTool(() => new Worker("try {{ require('fs').readFileSync('theirs.txt') }} catch (e) {{ console.log(e.code) }}", {{ eval: true }}));
      w.on('exit', () => console.log(unchanged, seen.join()));
    """
    assert _evaluate(node, source).split("\n") == ["EACCES", "true pi,read,pi,other"]


def test_hook_required_twice_starts(node: str, firewall: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "js", copy)
    before = _policy_hook(tmp_path)
    options = f"--require {before} --require {firewall} --require {firewall} --require {copy / 'app-firewall.js'}"
    source = "console.log(process.env.NODE_OPTIONS, process[Symbol.for('agentbox.firewall')].agent)"
    result = _node(node, "-e", source, NODE_OPTIONS=options)
    assert (result.stdout.strip(), result.stderr) == (f"--require {before} pi", "")


def _policy_hook(folder: Path) -> Path:
    """Stands in for /etc/agentbox/firewall.json: a hook before the real entry that answers for this one file."""
    before = folder / "before.cjs"
    before.write_text(f"""
      const fs = require('fs'); const read = fs.readFileSync; const policy = {json.dumps(POLICY)!r};
      fs.readFileSync = (f, ...rest) => (f === '/etc/agentbox/firewall.json' ? policy : read(f, ...rest));
    """)
    return before


def test_worker_of_a_process_with_options_of_its_own_starts(node: str, firewall: Path) -> None:
    source = f"""
      require({str(firewall)!r}).installFrom({json.dumps(POLICY)});
      new (require('worker_threads').Worker)('console.log(42)', {{ eval: true }});
    """
    assert _node(node, "--max-old-space-size=200", "-e", source).stdout.strip() == "42"


def test_entry_by_node_options_guards_threads_and_not_children(node: str, firewall: Path, tmp_path: Path) -> None:
    """The real entry; only reading its policy file is answered by a hook before it."""
    (tmp_path / ".env").write_text("TOP-SECRET")
    before = _policy_hook(tmp_path)
    source = """
      const { Worker } = require('worker_threads'); const { execFileSync } = require('child_process');
      const seen = "try { console.log(require('fs').readFileSync('.env', 'utf8')) } catch (e) { console.log(e.code) }";
      const channel = process[Symbol.for('agentbox.firewall')];
      const make = () => new Worker(seen, { eval: true });
      const next = (run) => new Promise((done) => { run(make).on('exit', done); });
      next((f) => f()).then(() => next(channel.runAsTool)).then(() => {
        const child = ['-p', `process[Symbol.for('agentbox.firewall')]`];
        process.stdout.write(execFileSync(process.execPath, child, { encoding: 'utf8' }));
      });
    """
    env = environment(NODE_OPTIONS=f"--require {before} --require {firewall}")
    result = subprocess.run([node, "-e", source], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.stdout.split() == ["TOP-SECRET", "EACCES", "undefined"], result.stderr


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "control"])
def test_signal_of_another_process_opens_no_debugger(node: str, firewall: Path, tmp_path: Path, guarded: bool) -> None:
    options = f"--require {_policy_hook(tmp_path)} --require {firewall}" if guarded else ""
    source = """
      const inspector = require('inspector');
      process.debugPort = 0;
      const told = () => console.log('no debugger', inspector.url());
      if (process.listenerCount('SIGUSR1')) process.on('SIGUSR1', told); // or this would be the one that stops it
      setInterval(() => {}, 1000);
      console.log('ready');
    """
    words, env = [node, "-e", source], environment(NODE_OPTIONS=options)
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as agent:
        assert agent.stdout
        try:
            assert agent.stdout.readline() == "ready\n"
            agent.send_signal(signal.SIGUSR1)
            said = agent.stdout.readline()
        finally:
            agent.kill()
    assert said.startswith("no debugger undefined" if guarded else "Debugger listening on ws://")


def test_ordinary_work_in_a_tool_goes_on(node: str, tmp_path: Path) -> None:
    """read, write, links, streams, globs, workers, databases: nothing but protected paths is touched."""
    result = _node(node, str(HERE / "ordinary.cjs"), str(tmp_path))
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "ok", "")


def test_compiled_code_is_taken_and_is_not_needed(node: str, joined: Path, tmp_path: Path) -> None:
    """What does not fit, from another node say, is compiled anew: the guard is there all the same."""
    (tmp_path / ".env").write_text("TOP-SECRET")
    seen = f"""
      const vm = require('vm'); const make = vm.Script; const seen = [];
      vm.Script = class extends make {{ constructor(...args) {{ super(...args); seen.push(this.cachedDataRejected); }} }};
      const channel = require(process.env.ENTRY).installFrom({json.dumps(POLICY)});
      try {{ channel.runAsTool(() => require('fs').readFileSync('.env')); }} catch (error) {{ seen.push(error.code); }}
      console.log(seen.join());
    """

    def start(entry: Path) -> str:
        env = environment(ENTRY=str(entry))
        return subprocess.check_output([node, "-e", seen], env=env, cwd=tmp_path, text=True).strip()

    assert start(joined) == "false,EACCES"
    shutil.copytree(joined.parent, tmp_path / "other")
    for content in (b"", b"x" * 4096):
        (tmp_path / "other/joined.cache").write_bytes(content)
        assert start(tmp_path / "other/app-firewall.js") == "true,EACCES"


def test_files_of_the_joined_guard_are_those_of_the_folder(joined: Path) -> None:
    text = joined.with_name("joined.js").read_text()
    names = {path.name for path in (ROOT / "js").glob("*.js")}
    assert {name for name in names if f"'./{name}': function" in text} == names - {"join.js", "unguarded.js"}
    assert text.isascii()
