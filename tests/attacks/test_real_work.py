"""Inside the domain ordinary work is unchanged: each job is a shell script that an agent starts, with and without the vault."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable

import pytest
from fast import slow_but
from older_landlock import pretend
from vault_world import World

pytestmark = pytest.mark.vault

GIT = "git -c user.name=a -c user.email=a@b -c init.defaultBranch=main"
JOBS = {
    "git": f"""
        {GIT} init -q r; cd r; echo 1 > a; {GIT} add a; {GIT} commit -qm one
        {GIT} checkout -qb side; echo 2 > b; {GIT} add b; {GIT} commit -qm two
        {GIT} checkout -q main; echo 3 > c; {GIT} add c; {GIT} commit -qm three; {GIT} rebase -q main side
        {GIT} gc -q; {GIT} clone -q . ../copy; cd ../copy; {GIT} log --oneline | grep -c . | grep -q 3
        {GIT} worktree add -q ../tree; {GIT} stash -q || true; {GIT} status --porcelain""",
    "make and gcc": r"""
        printf 'int main(void){return 0;}\n' > m.c; printf 'm: m.c\n\tcc -O1 -o m m.c\n' > Makefile; make -s -j4; ./m""",
    "shared library": """
        printf 'int f(void){return 7;}' > f.c; printf 'int f(void);int main(void){return f()-7;}' > p.c
        cc -shared -fPIC -o libf.so f.c; cc p.c -L. -lf -Wl,-rpath,. -o p; ./p""",
    "tar": "mkdir d; date > d/x; tar czf d.tgz d; rm -r d; tar xzf d.tgz; test -s d/x; cp -a d e; rsync --version >/dev/null || true",
    "sed in place": "echo a > f; sed -i s/a/b/ f; grep -q b f; perl -pi -e s/b/c/ f; grep -q c f",
    "rename across directories": "mkdir one two; echo x > one/f; mv one/f two/g; ln two/g one/h; mv two three; test -s three/g",
    "temporary files": "f=$(mktemp); echo x > $f; rm $f; echo x > /dev/shm/agentbox-$$; rm /dev/shm/agentbox-$$; echo > /dev/null",
    "pty": """python3 -c 'import os, pty, sys; sys.exit(pty.spawn(["/bin/sh", "-c", "test -t 0 && stty size"]))' </dev/null""",
    "sqlite": """python3 -c 'import sqlite3; d = sqlite3.connect("d.db"); d.execute("pragma journal_mode=wal")
d.execute("create table t(a)"); d.execute("insert into t values(1)"); d.commit(); assert d.execute("select * from t").fetchall()'""",
    "200 parallel children": """
        i=0; while [ $i -lt 200 ]; do (sleep 0.2; echo x >> out) & i=$((i+1)); done; wait; test $(grep -c x out) = 200""",
    "background process and its signals": "sleep 60 & p=$!; kill -0 $p; kill $p; wait $p || test $? = 143",
    "deep nesting": """i=0; cmd='echo deep'; while [ $i -lt 40 ]; do cmd="exec sh -c \\"\\$CMD\\""; i=$((i+1)); done
        D=0; export D; cat > nest.sh <<'END'
D=$((D+1)); export D; [ $D -gt 40 ] && { echo deep; exit; }; sh nest.sh; exit $?
END
        sh nest.sh | grep -q deep""",
    "node": """node -e 'const {Worker} = require("worker_threads"); new Worker("require(\\"fs\\").readdirSync(\\".\\")", {eval: true})
            .on("exit", (code) => process.exit(code + require("child_process").spawnSync("true").status))'""",
    "npm install": """
        mkdir pkg; printf '{"name":"p","version":"1.0.0","scripts":{"install":"node -e 0"}}' > pkg/package.json; (cd pkg; npm pack -s)
        printf '{"name":"q"}' > package.json; npm install -s --no-audit --no-fund ./pkg/p-1.0.0.tgz; test -d node_modules/p""",
    "venv and pip": """
        /usr/bin/python3 -m venv --system-site-packages v; mkdir -p s/m; echo > s/m/__init__.py
        printf '[project]\\nname="m"\\nversion="1"\\n' > s/pyproject.toml
        v/bin/python -m compileall -q s; v/bin/python -c 'import ssl, ctypes, multiprocessing'; v/bin/pip --version >/dev/null""",
    "strace of a child": "strace -o t.out true; grep -q exit_group t.out",
    "the agent's open state": """
        cat /mnt/agent/history /mnt/agent/settings.json /mnt/agent/extensions/one.js >/dev/null
        echo x >> /mnt/agent/history; echo x > /mnt/agent/sessions/two; mv /mnt/agent/sessions/two /mnt/agent/sessions/three
        mkdir -p /mnt/agent/sessions/d/e; rm -r /mnt/agent/sessions/d; echo x > /mnt/agent/extensions/cache/x""",
    "listing": "ls / /mnt /mnt/agent /proc /proc/self/fd >/dev/null; find /etc -maxdepth 1 >/dev/null; stat /mnt/agent/auth.json >/dev/null",
    "ldconfig and the loader": "/sbin/ldconfig -p >/dev/null; ldd /bin/true >/dev/null; getent passwd root >/dev/null",
}
NEEDS = {"node": "node", "npm install": "npm", "strace of a child": "strace", "git": "git"}


def check(worlds: dict[str, World], job: str, start: str, then: Callable[[], None] | None = None) -> None:
    if job in NEEDS and not shutil.which(NEEDS[job]):
        pytest.skip(f"{NEEDS[job]} is not installed")
    script = f"set -e; rm -rf job; mkdir job; cd job\n{JOBS[job]}\n"
    for name in ("control", "vault"):
        world = worlds[name]
        world.reset()
        (world.work / "job.sh").write_text(script)
        vault = {"launch": True, "then": then} if name == "vault" else {}
        done = world.run("./agent", start, "/bin/sh", "job.sh", **vault)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("start", slow_but(["execvp"], ["execvp", "posix_spawn"]))
@pytest.mark.parametrize("job", slow_but(JOBS.keys() - {"venv and pip"}, JOBS))
def test_works_as_without_the_vault(worlds: dict[str, World], job: str, start: str) -> None:
    check(worlds, job, start)


@pytest.mark.slow
@pytest.mark.parametrize("abi", [1, 2])
@pytest.mark.parametrize("job", JOBS)
def test_works_with_an_older_landlock(
    worlds: dict[str, World], request: pytest.FixtureRequest, job: str, abi: int
) -> None:
    if abi == 1 and job == "rename across directories":
        reason = "before ABI 2 no file is linked into another directory, and one is moved there by copying"
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    check(worlds, job, "execvp", functools.partial(pretend, abi))
