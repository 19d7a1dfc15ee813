"""The hook as node loads it: --require, policy file, NODE_OPTIONS, workers; the tables against the running node."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from node_process import FIREWALL, HERE, ROOT, environment

AUTH = "/agent/pi/agent/auth.json"
POLICY: Mapping[str, Any] = {"version": 1, "agent": "pi", "deny": [".env", "gh_*"], "paths": [AUTH]}
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
def test_missing_policy_ends_with_125_and_one_line(node: str) -> None:
    result = _node(node, "--require", str(FIREWALL), "-e", "console.log('ran')")
    assert (result.returncode, result.stdout) == (125, "")
    assert result.stderr.splitlines() == [
        "agentbox: /etc/agentbox/firewall.json: no such file. "
        "Hint: start the agent through agentbox, which renders this file"
    ]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"version": 2}, "version 2 where 1 is known"),
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
    source = f"const m = js('policy.js'); console.log(m.matchPath(m.parsePolicy({policy}), ['/agent'], {path!r}))"
    assert (_evaluate(node, source) != "null") is protected


def test_every_function_of_fs_is_in_the_table(node: str) -> None:
    """A function of a newer node is noticed here: give it a row in js/methods.js."""
    source = """
      const fs = require('fs'); const { FS, UNPATHED } = js('methods.js');
      const base = (name) => name.replace(/Sync$/, '');
      const known = (name) => base(name) in FS || base(name) in UNPATHED;
      console.log(JSON.stringify([...Object.keys(fs), ...Object.keys(fs.promises)].filter((name) => !known(name))));
    """
    assert json.loads(_evaluate(node, source)) == []


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
    assert _evaluate(node, source) == "true true version,agent,runAsTool,check"


def test_worker_of_a_process_with_options_of_its_own_starts(node: str) -> None:
    source = f"""
      require({str(FIREWALL)!r}).installFrom({json.dumps(POLICY)});
      new (require('worker_threads').Worker)('console.log(42)', {{ eval: true }});
    """
    assert _node(node, "--max-old-space-size=200", "-e", source).stdout.strip() == "42"


def test_entry_by_node_options_guards_threads_and_not_children(node: str, tmp_path: Path) -> None:
    """The real entry; only reading its policy file is answered by a hook before it."""
    (tmp_path / ".env").write_text("TOP-SECRET")
    before = tmp_path / "before.cjs"
    before.write_text(f"""
      const fs = require('fs'); const read = fs.readFileSync; const policy = {json.dumps(POLICY)!r};
      fs.readFileSync = (f, ...rest) => (f === '/etc/agentbox/firewall.json' ? policy : read(f, ...rest));
    """)
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
    env = environment(NODE_OPTIONS=f"--require {before} --require {FIREWALL}")
    result = subprocess.run([node, "-e", source], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.stdout.split() == ["TOP-SECRET", "EACCES", "undefined"], result.stderr


def test_ordinary_work_in_a_tool_goes_on(node: str, tmp_path: Path) -> None:
    """read, write, links, streams, globs, workers, databases: nothing but protected paths is touched."""
    result = _node(node, str(HERE / "ordinary.cjs"), str(tmp_path))
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "ok", "")
