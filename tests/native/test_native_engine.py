"""The native engine, with bubblewrap and without: a whole turn, what the world inside holds, and how it ends."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from boxes import AGENTS, Agent, assert_only_tools_are_refused
from fake_model import FakeModel, Read, Shell
from native_box import OWN_HOST, SHARED, UID, NativeBox, as_user, broker_python, own, own_python
from older_landlock import pretend_none
from provider import provider
from shell_attacks import ATTACKS, LINES, NO_CONTROL, PUT, lay_out, statuses

pytestmark = [pytest.mark.npm, pytest.mark.slow]

CANARY = "canary-of-the-user"
# What lies in a home and is nobody's business.
PLANTED = (".ssh/id_ed25519", ".aws/credentials", ".config/gh/hosts.yml", ".bash_history", "other-project/secret.txt")


@pytest.fixture
def planted(box: NativeBox) -> list[Path]:
    return [box.put(path, CANARY) for path in PLANTED]


@pytest.fixture(params=list(AGENTS))
def agent(request: pytest.FixtureRequest) -> Agent:
    return AGENTS[request.param]


def seed(box: NativeBox, agent: Agent, model: FakeModel) -> None:
    box.allow(OWN_HOST)
    agent.seed(box, model.url.replace("127.0.0.1", OWN_HOST), agent.key)  # type: ignore[arg-type]  # a box as well


def test_a_whole_turn_through_the_broker_in_which_only_the_tools_get_eacces(agent: Agent, box: NativeBox) -> None:
    secret = box.secret(agent)
    script = [Shell(f"touch made; cat {secret}; echo status=$?; pwd"), Read(secret)]
    with FakeModel(script) as model:
        seed(box, agent, model)
        run = box.run(agent.name, *agent.turn, options=agent.options)

    assert_only_tools_are_refused(run, agent, model)
    assert (box.workspace / "made").stat().st_uid == UID
    audit = [path.read_text() for path in (box.home / ".local/state/agentbox/audit").glob("*/egress/audit.jsonl")]
    assert OWN_HOST in "".join(audit), "the turn did not go through the broker"


def test_the_agents_own_tool_would_read_the_credential_without_the_vault(box: NativeBox) -> None:
    """The control: the same user, file and command, outside."""
    agent = AGENTS["pi"]
    agent.seed(box, "http://127.0.0.1:1", agent.key)  # type: ignore[arg-type]  # a box as well
    assert agent.key in as_user(["cat", box.home / ".pi/agent/auth.json"]).stdout


def test_the_same_attacks_as_in_a_container_fail_and_succeed_outside(box: NativeBox) -> None:
    agent = replace(AGENTS["pi"], secret=box.secret(AGENTS["pi"]))
    inside = "/workspace" if box.bubblewrap else str(box.workspace)
    for path, content in PUT["pi"].items():
        box.put(path, content)
    script = _attacks(agent, box, inside)
    with FakeModel([Shell(script)]) as model:
        seed(box, agent, model)
        run = box.run("pi", *agent.turn, options=agent.options)
        assert run.returncode == 0, run.stderr
    found, printed = statuses(box)  # type: ignore[arg-type]  # as above

    assert set(found) == {*ATTACKS, *LINES}
    assert [name for name, status in found.items() if status == 0] == []
    assert agent.key not in printed
    if not box.bubblewrap:  # the control, on the same files by the same names
        shutil.rmtree(box.workspace / "attacks")
        _attacks(agent, box, inside)
        (box.workspace / "attacks/control").touch()
        seen = "sleep 60 & bash attacks/all.sh $! > attacks/statuses; kill $!"
        as_user(["bash", "-c", seen], cwd=box.workspace, env={"PATH": os.environ["PATH"], "HOME": str(box.home)})
        worked, _ = statuses(box)  # type: ignore[arg-type]  # as above
        assert sorted(name for name in worked if worked[name] != 0 and name not in NO_CONTROL) == []


def test_a_key_of_the_environment_is_the_brokers_alone(box: NativeBox) -> None:
    """Over TLS, which the broker speaks in the provider's place: the agent trusts its certificate, and has a placeholder."""
    key = "sk-ant-api03-the-real-key-of-this-test"
    asked = [Shell("env; cat /proc/[0-9]*/environ | tr '\\0' '\\n'; echo end")]
    with provider(box, "127.0.0.1", asked, box.home.parent) as model:  # type: ignore[arg-type]  # a box as well
        box.extra = {"ANTHROPIC_API_KEY": key}
        run = box.run("pi", *AGENTS["pi"].turn, options=AGENTS["pi"].options)

    assert run.returncode == 0, run.stderr
    assert key in model.credentials
    assert "end" in model.results[0]
    assert "agentbox" in model.results[0], "the placeholder is not there"
    assert key not in "".join(model.results)


def test_nothing_else_of_the_home_can_be_read_or_written(box: NativeBox, planted: list[Path]) -> None:
    names = " ".join(f"'{path}'" for path in planted)
    script = f"cat {names}; for i in {names}; do echo x >> $i; done; ls {box.home}/.ssh {box.home}/other-project"
    assert as_user(["bash", "-c", f"cat {names}"]).stdout.count(CANARY) == len(planted), "the control fails"

    done = box.shell(script)

    assert CANARY not in done.stdout
    assert "id_ed25519" not in done.stdout
    assert "secret.txt" not in done.stdout
    assert [path.read_text() for path in planted] == [CANARY] * len(planted)


def test_the_agent_itself_cannot_read_them_either(box: NativeBox, planted: list[Path]) -> None:
    """Its own read tool runs in the agent's process, which no vault confines: the sandbox does."""
    with FakeModel([Read(str(path)) for path in planted]) as model:
        seed(box, AGENTS["pi"], model)
        run = box.run("pi", *AGENTS["pi"].turn, options=AGENTS["pi"].options)

    assert run.returncode == 0, run.stderr
    assert len(model.results) == len(planted)
    assert CANARY not in "".join(model.results)


def test_a_tool_has_no_capability_no_new_privileges_a_filter_and_limits(box: NativeBox) -> None:
    done = box.shell("grep -E 'CapEff|CapPrm|NoNewPrivs|Seccomp:' /proc/self/status; ulimit -n; ulimit -c")
    assert done.stdout.split() == [
        *("CapPrm:", "0000000000000000", "CapEff:", "0000000000000000", "NoNewPrivs:", "1", "Seccomp:", "2"),
        *("16384", "0"),
    ]


def test_calls_that_the_profile_refuses_are_refused(box: NativeBox) -> None:
    calls = {"unshare": 272, "io_uring_setup": 425, "ptrace": 101, "bpf": 321, "mount": 165, "keyctl": 250}
    script = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for number in {list(calls.values())}:
    print(number, libc.syscall(number, 0x10000000, 0, 0, 0, 0), ctypes.get_errno())
"""
    done = box.shell(f"python3 -c '{script}'")
    assert done.stdout.split("\n")[:-1] == [f"{number} -1 1" for number in calls.values()], done.stderr


def test_system_places_are_read_only(box: NativeBox) -> None:
    done = box.shell(
        "for i in / /usr /usr/bin /etc /dev /boot /var /etc/agentbox; do touch $i/planted && echo $i; done"
    )
    assert done.stdout == ""


def test_no_socket_of_the_users_can_be_reached(box: NativeBox) -> None:
    """As D-Bus, X11, ssh-agent and a container engine offer them: by path, and abstract."""
    path = box.workspace / "socket"
    abstract = f"agentbox-test-{os.getpid()}"
    server = (
        "import socket, sys, time\n"
        f"for name in ({str(path)!r}, '\\0{abstract}'):\n"
        "    s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen(); globals()[name] = s\n"
        "print('up', flush=True); time.sleep(60)\n"
    )
    client = (
        "import socket, sys\n"
        "try:\n    socket.socket(socket.AF_UNIX).connect(sys.argv[1].replace('@', chr(0), 1)); print('reached')\n"
        "except OSError as e: print(e.strerror)\n"
    )
    ids = {"user": UID, "group": UID, "extra_groups": []} if os.getuid() == 0 else {}
    with subprocess.Popen([*own_python(), "-c", server], stdout=subprocess.PIPE, text=True, **ids) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            # In a namespace of its own a socket that is mounted stays one; so it must not lie in the workspace.
            hidden = box.home / "socket"
            path.rename(hidden)
            for name in (str(hidden), f"@{abstract}"):
                assert as_user([*own_python(), "-c", client, name]).stdout == "reached\n"
                done = box.shell(f"cat > c.py <<'E'\n{client}E\npython3 c.py {name}")
                assert "reached" not in done.stdout
                assert done.stdout.strip(), done.stderr
        finally:
            process.kill()


def test_the_network_is_the_brokers(box: NativeBox) -> None:
    """Loopback of the host, UDP and other ports: refused; the control reaches the server from outside."""
    probe = """
import socket, sys
def tcp(host, port):
    socket.create_connection((host, port), 2).close()
def udp(host, port):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (host, port)); 
for kind in (tcp, udp):
    try: kind("127.0.0.1", PORT); print("reached by", kind.__name__)
    except OSError as error: print(error.strerror or error)
"""
    with FakeModel([]) as model:
        script = probe.replace("PORT", model.url.rpartition(":")[2])
        assert as_user([*own_python(), "-c", script]).stdout.startswith("reached by tcp\nreached by udp")
        for network in ("allowlist", "none"):
            done = box.shell(f"python3 -c '{script}'", "--network", network)
            reached = done.stdout.replace("reached by udp\n", "") if box.bubblewrap else done.stdout
            assert "reached" not in reached, "UDP to a namespace's own loopback reaches nobody, all else must fail"
            assert done.stdout


def test_the_end_names_the_hosts_that_were_refused(box: NativeBox) -> None:
    ask = "curl -sS --max-time 20 https://unlisted.example/; curl -sS --max-time 20 https://other.example/"
    line = "agentbox: 2 hosts were refused: unlisted.example, other.example (agentbox allow HOST or agentbox audit)"
    assert line in box.shell(ask, "--network", "allowlist").stderr.splitlines()
    assert "refused" not in box.shell(ask, "--network", "allowlist", "--quiet").stderr
    # Whoever asked for nothing is told nothing.
    assert "refused" not in box.shell("true", "--network", "allowlist").stderr


def test_the_brokers_port_leads_to_the_broker_alone_whatever_the_address(box: NativeBox) -> None:
    """Landlock's rules are about ports: another address with that port, which somebody prepared, is refused as well."""
    if box.bubblewrap:
        return  # no other address can be reached from its namespace: test_the_network_is_the_brokers
    probe = """
import os, socket, time
port = int(os.environ["HTTP_PROXY"].rpartition(":")[2])
print(port, flush=True)
while not os.path.exists("go"): time.sleep(0.05)
def attempt(way):
    with socket.socket() as s:
        s.settimeout(2)
        try: way(s); print("reached")
        except OSError as error: print(error.strerror)
attempt(lambda s: s.connect(("127.0.0.2", port)))
attempt(lambda s: s.sendto(b"x", 0x20000000, ("127.0.0.2", port)))
attempt(lambda s: s.bind(("127.0.0.1", 0)) or s.listen())
attempt(lambda s: s.connect(("127.0.0.1", port)))
"""
    process = box.start("shell", "pi", "--engine", "native", "--", "python3", "-c", probe, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    with socket.create_server(("127.0.0.2", port)) as server:
        server.settimeout(1)
        outside = f"import socket; socket.create_connection(('127.0.0.2', {port}), 2)"
        assert as_user([*own_python(), "-c", outside]).returncode == 0, "the control fails"
        (box.workspace / "go").touch()
        out, _ = process.communicate(timeout=30)
    refused = ["Permission denied", "Operation not permitted", "Operation not permitted"]
    assert out.splitlines() == [*refused, "reached"]


def test_no_other_terminal_of_the_users_can_be_opened(box: NativeBox) -> None:
    ours, theirs = os.openpty()
    name = os.ttyname(theirs)
    os.chown(name, UID, -1) if os.getuid() == 0 else None
    try:
        attempt = f"echo planted > {name} && echo wrote"
        assert as_user(["bash", "-c", attempt]).stdout == "wrote\n", "the control fails"
        assert box.shell(attempt).stdout == ""
    finally:
        os.close(ours)
        os.close(theirs)


def test_exit_codes_are_the_agents(box: NativeBox) -> None:
    assert box.shell("exit 7").returncode == 7
    assert box.shell("kill -9 $$").returncode == 128 + 9
    assert box.shell("exec /nowhere").returncode == 127


def test_what_the_tools_leave_running_ends_with_the_agent(box: NativeBox) -> None:
    done = box.shell("(setsid sleep 4242 >/dev/null 2>&1 &) ; sleep 0.3; echo started")
    assert done.stdout == "started\n"
    assert _named("sleep 4242") == []


def test_kill_9_of_agentbox_leaves_no_process_and_the_next_start_no_folder(box: NativeBox) -> None:
    script = "setsid sleep 5353 & setsid sleep 5353 & echo up; wait"
    process = box.start("shell", "pi", "--engine", "native", "--", "bash", "-c", script)
    assert process.stdout is not None
    while process.stdout.readline().strip() != "up":
        assert process.poll() is None
    runs = box.home / ".local/state/agentbox/run"
    assert len(list(runs.iterdir())) == 1
    time.sleep(1.5)  # so that the broker is there as well

    process.kill()
    process.wait()

    until = time.monotonic() + 10
    while (left := _of_the_user()) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == []
    assert box.shell("true").returncode == 0
    assert list(runs.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_agentbox_reaches_the_agent(box: NativeBox, number: signal.Signals) -> None:
    name = number.name.removeprefix("SIG")
    script = f"trap 'echo got {name}; exit 9' {name}; echo up; while :; do sleep 0.1; done"
    words = ("shell", "pi", "--engine", "native", "--network", "none", "--", "bash", "-c", script)
    process = box.start(*words)
    assert process.stdout is not None
    while process.stdout.readline().strip() != "up":
        assert process.poll() is None
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert (f"got {name}" in out, process.returncode) == (True, 9)


def test_two_sessions_at_once_do_not_see_each_other(box: NativeBox) -> None:
    first = box.start(
        "shell",
        "pi",
        "--engine",
        "native",
        "--network",
        "none",
        "--",
        "bash",
        "-c",
        "echo 1 > $HOME/one; echo up; while [ ! -e stop ]; do sleep 0.1; done; echo end",
    )
    assert first.stdout is not None
    while first.stdout.readline().strip() != "up":
        assert first.poll() is None

    other = box.home / "second"  # in the first one's folder a shell joins it: test_native_join.py
    other.mkdir()
    within = box.shell("ls", "--network", "none", "-w", str(box.put("../project/below/file", "").parent))
    second = box.shell("ls $HOME; cat $HOME/one; echo second", "--network", "none", "-w", str(other))
    listed = box.agentbox("ps")
    (box.workspace / "stop").touch()

    assert second.stdout == "second\n"
    assert (within.returncode, "lies in a folder that a running session has" in within.stderr) == (2, True)
    assert "agentbox-pi-" in listed.stdout
    out, _ = first.communicate(timeout=20)
    assert ("end" in out, first.returncode) == (True, 0)


@pytest.mark.parametrize("name", [b"with space", b"new\nline", b"not \xff utf-8", b"quote'\"$(x)"])
def test_a_workspace_may_have_any_name(box: NativeBox, name: bytes) -> None:
    folder = os.fsencode(box.workspace) + b"/" + name
    Path(os.fsdecode(folder)).mkdir()
    if os.getuid() == 0:
        os.chown(folder, UID, UID)
    words = ("shell", "pi", "--engine", "native", "--network", "none", "-w", os.fsdecode(folder))
    done = box.agentbox(*words, "--", "bash", "-c", "echo made > file; pwd")
    if not box.bubblewrap and b"\n" in name:
        assert done.returncode == 125
        assert "cannot stand in a list of lines" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert Path(os.fsdecode(folder), "file").read_text() == "made\n"


def test_a_mounted_folder_is_read_only_where_it_is_said_so(box: NativeBox) -> None:
    tmp_path = box.home.parent
    for name in ("more", "less"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("here\n")
        os.chown(tmp_path / name, UID, UID) if os.getuid() == 0 else None
    place = {False: lambda name: f"{tmp_path}/{name}", True: lambda name: f"/workspace-{2 + (name == 'less')}"}[
        box.bubblewrap
    ]
    options = ("--network", "none", "--mount", f"{tmp_path}/more", "--mount", f"{tmp_path}/less:ro")
    done = box.shell(
        f"cat {place('more')}/file {place('less')}/file; touch {place('more')}/new {place('less')}/new", *options
    )
    assert done.stdout == "here\nhere\n"
    assert ((tmp_path / "more/new").exists(), (tmp_path / "less/new").exists()) == (True, False)


def test_secrets_in_the_folder_are_masked_or_nothing_starts(box: NativeBox) -> None:
    secret = box.workspace / ".env"
    secret.write_text(CANARY)
    os.chown(secret, UID, UID) if os.getuid() == 0 else None
    assert CANARY in box.shell("cat .env", "--network", "none", "--no-mask").stdout, "the control fails"

    done = box.shell("cat .env; rm -f .env; echo > .env; echo end")

    assert CANARY not in done.stdout
    assert secret.read_text() == CANARY
    if box.bubblewrap:
        assert done.stdout == "end\n"
    else:
        assert done.returncode == 125
        assert "cannot be masked" in done.stderr
        box.extra = {"PARANOID_MODE": "false"}
        assert "not masked, and to be read inside: .env" in box.shell("true").stderr


def test_without_landlock_nothing_starts(box: NativeBox) -> None:
    done = box.agentbox("shell", "pi", "--engine", "native", "--network", "none", "--", "true", preexec_fn=pretend_none)
    assert done.returncode == 125
    assert "no Landlock" in done.stderr


def test_paranoid_mode_false_starts_without_landlock_and_says_so(box: NativeBox) -> None:
    box.extra = {"PARANOID_MODE": "false"}
    words = ("shell", "pi", "--engine", "native", "--network", "none", "--", "bash", "-c", "echo started")
    done = box.agentbox(*words, preexec_fn=pretend_none)
    assert done.stdout == "started\n", done.stderr
    assert "no Landlock" in done.stderr


def test_auto_takes_the_native_engine_where_no_docker_answers_and_says_what_is_weaker(box: NativeBox) -> None:
    box.extra = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = box.agentbox("shell", "pi", "--network", "none", "--", "bash", "-c", "echo started")
    assert done.stdout == "started\n", done.stderr
    assert ["Docker cannot be used" in done.stderr, "weaker there" in done.stderr] == [True, True]


def test_engine_docker_never_falls_back(box: NativeBox) -> None:
    box.extra = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = box.agentbox("run", "pi", "--engine", "docker", "--", "--version")
    assert (done.returncode, done.stdout) == (125, "")


def test_the_doctor_says_which_of_the_two_sandboxes_there_is(box: NativeBox) -> None:
    box.extra = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    found = {each["id"]: each for each in json.loads(box.agentbox("doctor", "--json").stdout)["findings"]}
    assert found["native.sandbox"]["level"] == ("ok" if box.bubblewrap else "warning")


def test_on_a_terminal_the_agent_has_it_and_its_size(box: NativeBox) -> None:
    inside = "test -t 0 && test -t 1 && stty size; read x; echo got $x; exit 5"
    words = [*box.words("shell", "pi", "--engine", "native", "--network", "none", "--"), "bash", "-c", inside]
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    os.fchown(theirs, UID, -1) if os.getuid() == 0 else None
    ids = {"user": UID, "group": UID, "extra_groups": []} if os.getuid() == 0 else {}
    process = subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, env=box.environment(), cwd=box.workspace,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), start_new_session=True, **ids,  # noqa: PLW1509  no threads
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while b"33 77" not in said:
        said += os.read(ours, 1024)
    os.write(ours, b"typed\n")
    with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
        while part := os.read(ours, 1024):
            said += part
    os.close(ours)
    assert (process.wait(), b"got typed" in said) == (5, True)


def test_setup_may_change_settings_which_run_may_not(box: NativeBox) -> None:
    settings = box.put(".pi/agent/settings.json", "{}")
    place = settings if not box.bubblewrap else "/agent/pi/agent/settings.json"
    with FakeModel([Shell(f"echo '[]' > {place}; echo status=$?")]) as model:
        seed(box, AGENTS["pi"], model)
        run = box.run("pi", *AGENTS["pi"].turn, options=AGENTS["pi"].options)
        assert run.returncode == 0, run.stderr
        assert settings.read_text() == "{}"
        words = ("setup", "pi", "--engine", "native", "--", *AGENTS["pi"].turn)
        setup = box.agentbox(*words)
    assert setup.returncode == 0, setup.stderr
    assert settings.read_text() == "[]\n"


def test_the_broker_runs_on_what_this_machine_has(box: NativeBox) -> None:
    assert broker_python() is not None, "no Python 3.12 or newer for the broker"


if sys.version_info < (3, 12):  # nobody installs an older Python than that of the system

    def test_a_whole_turn_where_no_python_runs_the_newest_broker(box: NativeBox) -> None:
        cache = SHARED / "cache-of-an-older-python"
        (cache / "agentbox").mkdir(parents=True, exist_ok=True)
        agents = cache / "agentbox/pi"
        if not agents.is_symlink():
            agents.symlink_to(SHARED / "cache/agentbox/pi")
        for path in (cache, cache / "agentbox"):
            own(path)
        box.extra = {"PATH": str(box.programs()), "XDG_CACHE_HOME": str(cache)}
        with FakeModel([Shell("echo a tool")]) as model:
            seed(box, AGENTS["pi"], model)
            run = box.run("pi", *AGENTS["pi"].turn, options=AGENTS["pi"].options)
        assert run.returncode == 0, run.stderr
        assert model.results == ["a tool\n"]
        made = [path.read_text() for path in (cache / "agentbox/broker").glob("*/pyvenv.cfg")]
        assert made
        assert all("version = 3.11" in each for each in made)


def _attacks(agent: Agent, box: NativeBox, inside: str) -> str:
    script = lay_out(agent, box, inside, "$1")  # type: ignore[arg-type]  # a box as well
    for path in (box.workspace / "attacks", *(box.workspace / "attacks").iterdir()):
        own(path)
    return script


def _of_the_user() -> list[str]:
    return [
        " ".join(each.info["cmdline"] or ()) for each in _all() if each.info["uids"] and each.info["uids"].real == UID
    ]


def _named(words: str) -> list[int]:
    return [each.pid for each in _all() if " ".join(each.info["cmdline"] or ()) == words]


def _all() -> Iterator[psutil.Process]:
    found = psutil.process_iter(["cmdline", "uids", "status"])
    return (each for each in found if each.info["status"] != psutil.STATUS_ZOMBIE)


def test_another_user_of_this_machine_cannot_use_the_broker(box: NativeBox) -> None:
    """Without a network namespace the broker listens on everybody's loopback."""
    if box.bubblewrap:
        return  # its socket is in a namespace that nobody else is in
    box.allow(OWN_HOST)
    with FakeModel([]) as model:
        target = model.url.replace("127.0.0.1", OWN_HOST)
        script = "echo $HTTP_PROXY; curl -s -o /dev/null -w '%{http_code}' " + target + "/v1/models; echo; sleep 8"
        process = box.start("shell", "pi", "--engine", "native", "--", "bash", "-c", script)
        assert process.stdout is not None
        proxy, own = process.stdout.readline().strip(), process.stdout.readline().strip()
        ask = [
            "curl",
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--max-time",
            "5",
            "--proxy",
            proxy,
            f"{target}/v1/models",
        ]
        other = subprocess.run(
            ask, capture_output=True, text=True, check=False, user=UID + 1, group=UID + 1, extra_groups=[]
        )
        process.communicate()
    assert own not in ("000", "403"), "the control: the agent's own user is served"
    assert other.stdout == "000"


def test_where_user_namespaces_are_refused_landlock_alone_does_it(box: NativeBox) -> None:
    """As in most containers: unshare and clone with CLONE_NEWUSER fail."""
    words = ("shell", "pi", "--engine", "native", "--network", "none", "--", "bash", "-c", "pwd; ls / || true")
    done = box.agentbox(*words, preexec_fn=_user_namespaces_refused())
    assert done.stdout == f"{box.workspace}\n", done.stderr
    assert "Landlock alone" in done.stderr


def _user_namespaces_refused() -> Callable[[], None]:
    """For the child between fork and exec: what it imports, its user cannot read. Loaded twice, as agentbox tells one
    surrounding from another by the number of its filters, and other tests have one."""
    import pyseccomp as seccomp

    made = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in ("unshare", "clone"):
        made.add_rule(seccomp.ERRNO(1), name, seccomp.Arg(0, seccomp.MASKED_EQ, 0x10000000, 0x10000000))
    made.add_rule(seccomp.ERRNO(38), "clone3")
    return lambda: (made.load(), made.load())  # type: ignore[func-returns-value, return-value]
