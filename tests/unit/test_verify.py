"""`agentbox verify` without an engine: its catalogue, how it judges, and what it says and ends with."""

from __future__ import annotations

import json
import platform
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any
from xml.etree import ElementTree

import attack as inside_attack
import pytest
import runner

from agentbox import audit, compose, egress, identity, policy, runtimes, session, verify
from agentbox.binds import Options
from agentbox.engine import Engine, Facts
from agentbox.errors import EngineError
from agentbox.harness import Installed
from agentbox.native import bubblewrap, claims, landlock
from agentbox.request import Request
from agentbox.verify import catalogue, grounds, listener, protections, report, sandboxes, seeds, verdict
from agentbox.verify.catalogue import Attack
from agentbox.verify.protections import PROTECTIONS, Context
from agentbox.verify.world import Watch

AGENTS = policy.agent_names()
RUN_BESIDE = session.run_beside
SHIPPED = catalogue.load(catalogue.OWN)
HEAD = "# says: It looks.\n# stopped by: vault\n# proof: canary\n# source: nobody\n"


@dataclass(frozen=True)
class Done:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


@pytest.fixture
def agentbox(call: Callable[..., tuple[int, str, str]]) -> Callable[..., Done]:
    return lambda *words: Done(*call(*words))


# --- the catalogue ----------------------------------------------------------------------------------------------------


def test_every_family_and_every_protection_has_an_attack():
    assert {attack.family for attack in SHIPPED} == set(catalogue.FAMILIES)
    # By itself: else nobody would see that just this one is off.
    assert {name for attack in SHIPPED if len(attack.stopped_by) == 1 for name in attack.stopped_by} == set(PROTECTIONS)


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agents_own_tools_read_and_write(agent: str):
    calls = [catalogue.tool_call(each) for each in SHIPPED if each.is_tool and agent in each.agents]
    assert {call[0] for call in calls if call} == {"read", "write"}


@pytest.mark.parametrize("attack", SHIPPED, ids=lambda attack: attack.path)
def test_attack_says_what_it_is_in_a_sentence(attack: Attack):
    assert re.fullmatch(r"(?:[A-Z]|fs\.|node:|process\.).*\.", attack.says)
    assert not attack.is_tool or attack.stopped_by == {"guard"}


def test_no_proof_is_found_in_an_attack_that_merely_failed():
    """Python shows the line that failed: what counts as a proof must not stand in it."""
    for attack in SHIPPED:
        if attack.proof == "output":
            shown = "".join(f"    {line}\n" for line in attack.text.splitlines())
            assert re.search(attack.argument, shown, re.MULTILINE) is None, attack.path


WRONG = {
    "no header": ("file/x.sh", "cat x\n", "there is no line `# says: …` at its head"),
    "a line that is none": ("file/x.sh", "# hello\n", "line 1 is none of"),
    "no source": ("file/x.sh", HEAD.replace("# source: nobody\n", ""), "there is no line `# source: …`"),
    "a protection that is none": ("file/x.sh", HEAD.replace("vault", "wall"), "stopped by: there is no 'wall'"),
    "an agent that is none": ("file/x.sh", HEAD + "# agents: pie\n", "agents: there is no 'pie'"),
    "a proof that is none": ("file/x.sh", HEAD.replace("canary", "trust me"), "proof: 'trust me' is none of"),
    "a proof without its place": ("file/x.sh", HEAD.replace("canary", "changed"), "proof: 'changed' is none of"),
    "a broken expression": ("file/x.sh", HEAD.replace("canary", "output ("), "is no regular expression"),
    "a family that is none": ("files/x.sh", HEAD, "its folder is no family"),
    "a name with a blank": ("file/a b.sh", HEAD, "its name may have small letters"),
    "not UTF-8": ("file/x.sh", HEAD.encode() + b"\xff", "is not UTF-8"),
    "too large": ("file/x.sh", HEAD + "#" * 70000, "is larger than"),
    "no call": ("file/x.tool", HEAD, "names no call"),
    "two calls": ("file/x.tool", HEAD + "read a\nread b\n", "names no call"),
    "an unknown call": ("file/x.tool", HEAD + "eat a\n", "names no call"),
    "an engine that is none": ("file/x.sh", HEAD + "# engines: podman\n", "engines: there is no 'podman'"),
    "a role that is none": ("file/x.sh", HEAD + "# as: root\n", "as: there is no 'root'"),
    "the agent's, where only the vault is": ("file/x.sh", HEAD + "# as: agent\n", "the vault does not confine it"),
    "a setting that is none": ("file/x.sh", HEAD + "# kernel: /proc/x\n", "kernel: '/proc/x' is no setting"),
    "one that is there": ("file/cat.sh", HEAD, "there is a file/cat already"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_file_is_one_clear_line(agentbox: Callable[..., Done], home: Path, name: str):
    path, text, words = WRONG[name]
    file = home / ".config/agentbox/attacks" / path
    file.parent.mkdir(parents=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    done = agentbox("verify", "--list")
    lines = done.stderr.splitlines()
    assert done.exit_code == 2
    assert lines[0].startswith(f"agentbox: {file}: ")
    assert words in lines[0]
    assert len(lines) <= 2
    assert done.stdout == ""


def test_own_attacks_are_listed_beside_agentboxs(agentbox: Callable[..., Done], home: Path):
    folder = home / ".config/agentbox/attacks/network"
    folder.mkdir(parents=True)
    (folder / "mine.sh").write_text(HEAD.replace("vault", "network + vault"))
    (folder / "README").write_text("not one of them")
    listed = json.loads(agentbox("verify", "--list", "--json").stdout)
    assert len(listed) == len(SHIPPED) + 1
    mine = next(each for each in listed if each["name"] == "mine")
    assert (mine["family"], mine["stopped_by"], mine["says"]) == ("network", ["network", "vault"], "It looks.")
    assert "network/mine" in agentbox("verify", "--list", "--only", "mine").stdout


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (["bounds/m*"], {"bounds/memory"}),
        (["cat"], {"file/cat"}),
        (["node", "file/cat"], {each.path for each in SHIPPED if each.family == "node"} | {"file/cat"}),
        ([], {each.path for each in SHIPPED}),
    ],
)
def test_only(only: list[str], names: set[str]):
    assert {each.path for each in catalogue.select(SHIPPED, only)} == names


def test_only_that_names_nothing(agentbox: Callable[..., Done]):
    done = agentbox("verify", "--only", "fiel")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--only fiel: names no attack" in done.stderr


QEMU = shutil.which("qemu-aarch64")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_static_program_without_a_compiler_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str):
    """Where this machine runs none of that kind, QEMU does."""
    if machine != platform.machine() and QEMU is None:
        pytest.skip("needs qemu-aarch64")
    (tmp_path / "secret").write_text("what it says")
    monkeypatch.setattr(inside_attack, "MACHINE", machine)
    program = tmp_path / "static"
    program.write_bytes(inside_attack.static_reader(str(tmp_path / "secret")))
    program.chmod(0o755)
    emulator = [QEMU] if machine != platform.machine() and QEMU else []
    done = subprocess.run([*emulator, str(program)], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"what it says")


# --- what is switched off ------------------------------------------------------------------------------------------------

PLACES = {
    "vault": {"entrypoint", "volumes"},
    "guard": {"volumes"},
    "seccomp": {"security_opt"},
    "network": {"networks", "dns", "dns_search", "dns_opt", "depends_on"},
    "keys": {"networks", "dns", "dns_search", "dns_opt", "depends_on"},
    "mounts": {"volumes"},
    "user": {"user", "tmpfs", "environment"},
    "capabilities": {"cap_drop"},
    "privileges": {"security_opt"},
    "rootfs": {"read_only"},
    "noexec": {"tmpfs"},
    "pids": {"pids_limit"},
    "memory": {"mem_limit", "memswap_limit"},
    # What a trial leaves out when it lays the container out, or out of its judgement.
    "masks": set(),
    "hooks": set(),
    "report": set(),
    # Of the environment, which a trial makes.
    "environment": set(),
    # The native engine's alone.
    "processes": set(),
}


# Those that a trial, or the policy, is without, whatever the engine.
BY_TRIAL = {"masks", "hooks", "report", "network", "keys", "environment"}


def described(tmp_path: Path, off: set[str]) -> dict[str, Any]:
    who = identity.Identity(1000, 1000, "dev", tmp_path)
    folder = tmp_path / ("-".join(sorted(off)) or "whole")
    folder.mkdir()
    place = egress.Broker(folder, folder, folder, folder, {}, {})
    changed = protections.policy_without(policy.load("pi"), off)
    broker = place if changed.network.mode == "allowlist" else None
    options = Options(identity=who, mounts=[], environment={}, command=["pi"], broker=broker, run_id="1")
    model = compose.model(changed, options)
    protections.model_without(model, off, Context("pi", folder, "net", "192.0.2.1"))
    return model


@pytest.mark.parametrize("name", PROTECTIONS)
def test_just_that_one_is_off(tmp_path: Path, name: str):
    whole, without = (described(tmp_path, off)["services"]["pi"] for off in (set(), {name}))
    assert {key for key in {*whole, *without} if whole.get(key) != without.get(key)} == PLACES[name]


def test_each_protection_has_its_place_in_that_table():
    assert set(PLACES) == set(PROTECTIONS)


# --- containers that are none --------------------------------------------------------------------------------------------

Play = Callable[["Scene", Attack], str | dict[str, str]]


class Scene:
    """What takes a container's place: the folders it would see, and whether it is the one under test."""

    def __init__(self, request: Request) -> None:
        places = {mount.target: mount.source for mount in request.mounts}
        self.verify, self.workspace = places["/verify"], places["/workspace"]
        self.tested = self.verify.parent.name.startswith("tested")
        self.root = self.verify.parent
        self.request = request

    def public(self) -> str:
        return (self.workspace / "public.txt").read_text()

    def secret(self) -> str:
        where = seeds.SEEDS[self.request.policy.agent].places["SECRET"]
        state = next(each for each in self.request.policy.state if where.startswith(each.path))
        return (Path(state.host) / where.removeprefix(state.path + "/")).read_text()


def named(call: dict[str, Any], path: str) -> bool:
    return Path(call["file"]).stem == f"attack-{call['number']}-{path.partition('/')[2]}"


def everything_denied(scene: Scene, attack: Attack) -> str:
    """What each says where its protection holds; and without it, the secret."""
    return "Permission denied" if scene.tested else scene.secret()


@pytest.fixture
def stage(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Play], None]:
    """Containers are played by a function that says what an attack prints."""

    def put_on(play: Play) -> None:
        def run_beside(request: Request, engine: Engine, output: IO[bytes], stop: threading.Event) -> int:
            scene = Scene(request)
            attacks = {each.path: each for each in SHIPPED}
            calls = json.loads((scene.verify / "plan.json").read_text())["attacks"]
            for call in calls:
                text = (scene.verify / call["file"]).read_text()
                attack = next(each for path, each in attacks.items() if each.text == text and named(call, path))
                part = scene.verify / "out/.part"
                answer = play(scene, attack)
                told = answer if isinstance(answer, dict) else {"output": answer}
                part.write_text(json.dumps({"number": call["number"], **told}))
                part.rename(scene.verify / f"out/{call['number']}")
                until = threading.Event()
                for _ in range(500):
                    if (scene.verify / f"ack/{call['number']}").exists():
                        break
                    until.wait(0.01)
            return 0

        @contextmanager
        def listening(*words: Any) -> Iterator[listener.Listener]:
            words[3].mkdir()
            yield listener.Listener("net", "192.0.2.9", words[3] / "arrived")

        monkeypatch.setattr(session, "run_beside", run_beside)
        monkeypatch.setattr(grounds, "listening", listening)
        ground = grounds.Containers(Engine(), Facts(2, "amd64", "28.0"))
        docker = SimpleNamespace(prepare=lambda *_, **__: None, ground=lambda: ground)
        monkeypatch.setattr(runtimes, "choose", lambda *_, **__: docker)

    return put_on


def run(agentbox: Callable[..., Done], *only: str) -> tuple[int, dict[str, Any]]:
    done = agentbox("verify", "pi", "--json", *(word for each in only for word in ("--only", each)))
    assert done.stderr == ""
    return done.exit_code, json.loads(done.stdout)


def summary(said: dict[str, Any]) -> dict[str, int]:
    return {level: count for level, count in said["summary"].items() if count}


def test_denied_with_and_working_without_is_green(agentbox: Callable[..., Done], stage: Callable[[Play], None]):
    stage(everything_denied)
    code, said = run(agentbox, "file/cat", "file/python")
    assert (code, summary(said)) == (0, {"denied": 2})


def test_a_canary_in_what_it_printed_is_a_breach(agentbox: Callable[..., Done], stage: Callable[[Play], None]):
    stage(lambda scene, attack: scene.secret() if attack.name == "cat" or not scene.tested else "")
    code, said = run(agentbox, "file/cat", "file/python")
    assert (code, said["summary"]["breach"]) == (1, 1)
    assert [each["name"] for each in said["verdicts"] if each["verdict"] == "breach"] == ["cat"]


def test_what_fails_in_its_control_too_is_not_proven(agentbox: Callable[..., Done], stage: Callable[[Play], None]):
    stage(lambda scene, attack: "no such program" if attack.name == "cat" or scene.tested else scene.secret())
    code, said = run(agentbox, "file/cat", "file/python")
    assert (code, summary(said)) == (3, {"denied": 1, "not_proven": 1})
    assert said["verdicts"][0]["why"] == "it fails without vault too"


def test_a_breach_weighs_more_than_what_is_not_proven(agentbox: Callable[..., Done], stage: Callable[[Play], None]):
    stage(lambda scene, attack: scene.secret() if scene.tested and attack.name == "cat" else "")
    code, said = run(agentbox, "file/cat", "file/python")
    assert (code, summary(said)) == (1, {"breach": 1, "not_proven": 1})


def test_an_exit_code_and_big_words_prove_nothing(agentbox: Callable[..., Done], stage: Callable[[Play], None]):
    stage(lambda scene, attack: "success! sk-ant-api03-not-a-canary" if scene.tested else scene.secret())
    assert run(agentbox, "file/cat")[0] == 0


@pytest.mark.parametrize(("kernel", "code"), [("the kernel has no such call", 0), ("", 3)])
def test_what_the_kernel_itself_refuses_has_a_level_of_its_own(
    agentbox: Callable[..., Done], stage: Callable[[Play], None], tmp_path: Path, kernel: str, code: int
):
    stage(lambda scene, attack: {"output": "[Errno 38]", "kernel": "" if scene.tested else kernel})
    junit = tmp_path / "verify.xml"
    done = agentbox("verify", "pi", "--json", "--only", "process/io-uring", "--junit", str(junit))
    level = "refused_by_the_kernel" if kernel else "not_proven"
    assert (done.exit_code, summary(json.loads(done.stdout))) == (code, {level: 1})
    case = ElementTree.parse(junit).find(".//testcase/*")
    assert case is not None
    assert case.tag == ("skipped" if kernel else "error")


def test_a_kernel_that_refuses_excuses_no_breach(agentbox: Callable[..., Done], stage: Callable[[Play], None]):
    stage(lambda scene, _: {"output": scene.public(), "kernel": "the kernel has no such call"})
    assert run(agentbox, "process/io-uring")[0] == 1


@pytest.mark.parametrize(
    ("settings", "output", "said"),
    [
        (["ENOSYS"], "OSError: [Errno 38] Function not implemented", "the kernel has no such call"),
        (["ENOSYS"], "PermissionError: [Errno 1] Operation not permitted", ""),
        (["kernel.no_such_setting=1"], "[Errno 38]", ""),
        (["kernel.ostype=Linux"], "", "the kernel has kernel.ostype=Linux"),
        (["kernel.ostype=Plan9"], "", ""),
    ],
)
def test_what_a_kernel_refuses_is_read_from_the_kernel(settings: list[str], output: str, said: str):
    assert runner.refused_by_kernel(settings, output) == said


def test_an_attack_by_the_agent_itself_has_no_vault_around_it(
    agentbox: Callable[..., Done], stage: Callable[[Play], None]
):
    seen: dict[str, list[str]] = {}

    def play(scene: Scene, attack: Attack) -> str:
        seen.setdefault(scene.root.name, []).append(attack.path)
        return scene.secret() if not scene.tested and "by-agent" not in attack.name else ""

    stage(play)
    code, said = run(agentbox, "credentials/host-keys*")
    assert code == 3
    assert seen["tested"] == ["credentials/host-keys"]
    assert seen["tested-by-agent"] == ["credentials/host-keys-by-agent"]
    assert {each["name"]: each["verdict"] for each in said["verdicts"]} == {
        "host-keys": "denied",
        "host-keys-by-agent": "not proven",
    }


# --- what the native engine claims -----------------------------------------------------------------------------------


@pytest.mark.parametrize("alone", [False, True])
def test_what_the_native_engine_does_not_claim_is_said_and_all_else_is_tried(alone: bool):
    ground = sandboxes.Sandboxes(Installed(("/x/node",), {}, Path("/x"), "1"), None, alone)
    mine = [each for each in SHIPPED if "native" in each.engines]
    left = {each.path for each in mine if ground.unclaimed(each)}
    families = {each.family for each in mine if each.path not in left}
    assert families == set(catalogue.FAMILIES)
    assert ("file/secret-of-workspace" in left) is alone
    assert "bounds/memory" in left
    for each in mine:
        assert each.path in left or ground.off(each) <= {*sandboxes.WITHOUT, *BY_TRIAL}, each.path


@pytest.mark.parametrize(
    ("abi", "alone", "left"),
    [
        (2, False, {"process/signal", "process/socket"}),
        (2, True, {"process/signal", "process/host-signal", "process/host-signal-by-agent"}),
        (6, False, set()),
        (6, True, set()),
    ],
)
def test_what_an_older_landlock_does_not_know_is_not_claimed(
    monkeypatch: pytest.MonkeyPatch, abi: int, alone: bool, left: set[str]
):
    monkeypatch.setattr(landlock, "abi", lambda: abi)
    ground = sandboxes.Sandboxes(Installed(("/x/node",), {}, Path("/x"), "1"), None, alone)
    assert {each.path for each in SHIPPED if ground.unclaimed(each).startswith("Linux before")} == left


@pytest.mark.parametrize(("abi", "said"), [(2, True), (5, True), (6, False)])
def test_what_an_older_landlock_alone_leaves_open_is_said_at_the_start(
    monkeypatch: pytest.MonkeyPatch, abi: int, said: bool
):
    monkeypatch.setattr(landlock, "abi", lambda: abi)
    monkeypatch.setattr(bubblewrap, "missing", lambda: "bubblewrap is not installed")
    assert ("signal your other" in claims.alone()) is said


def test_attacks_on_the_native_engine_are_none_on_containers(
    agentbox: Callable[..., Done], stage: Callable[[Play], None]
):
    stage(everything_denied)
    done = agentbox("verify", "pi", "--only", "process/host-environ")
    assert done.exit_code == 2
    assert "names no attack on pi" in done.stderr


def test_a_changed_file_is_seen_and_put_back(agentbox: Callable[..., Done], stage: Callable[[Play], None]):
    seen = []

    def play(scene: Scene, attack: Attack) -> str:
        if not scene.tested:
            seen.append((scene.workspace / ".git/hooks/pre-commit").read_text())
            (scene.workspace / ".git/hooks/pre-commit").write_text("evil")
            (scene.workspace / ".git/hooks/more").write_text("evil")
        return ""

    stage(play)
    code, _ = run(agentbox, "later/git-hook", "later/git-hook-new", "later/git-hooks-moved")
    assert code == 0
    assert seen == ["#!/bin/sh\nexit 0\n"] * 3  # whatever the one before had done


@pytest.mark.parametrize("reported", [True, False])
def test_a_change_that_the_host_runs_later_is_a_breach_where_nobody_says_so(
    agentbox: Callable[..., Done], stage: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch, reported: bool
):
    def play(scene: Scene, attack: Attack) -> str:
        (scene.workspace / ".envrc").write_text("touch /tmp/x")
        return ""

    stage(play)
    if not reported:
        monkeypatch.setattr(verify.trial.hostrun, "report", lambda *_: [])
    assert run(agentbox, "later/envrc")[0] == (0 if reported else 1)


@pytest.mark.parametrize("arrives", [True, False])
def test_what_arrives_at_the_listener_got_out(
    agentbox: Callable[..., Done], stage: Callable[[Play], None], arrives: bool
):
    def play(scene: Scene, attack: Attack) -> str:
        calls = json.loads((scene.verify / "plan.json").read_text())["attacks"]
        if arrives or not scene.tested:
            (scene.root.parent / "listener/arrived").open("a").write(f"tcp 8000 /{calls[0]['environment']['TOKEN']}\n")
        return "REACHED"

    stage(play)
    assert run(agentbox, "network/direct")[0] == (1 if arrives else 0)


def test_what_is_put_back_goes_through_no_symlink_of_a_containers(tmp_path: Path):
    (tmp_path / "work/.git/hooks").mkdir(parents=True)
    outside = tmp_path / "outside/hooks"
    outside.mkdir(parents=True)
    (outside / "mine").write_text("stays")
    watch = Watch(tmp_path / "work/.git/hooks", tmp_path / "kept")
    assert not watch.changed()
    (tmp_path / "work/.git").rename(tmp_path / "work/old")
    (tmp_path / "work/.git").symlink_to(outside.parent)
    assert watch.changed()
    watch.restore()
    assert (outside / "mine").read_text() == "stays"


def test_an_attack_that_did_not_run_is_not_proven(
    agentbox: Callable[..., Done], stage: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch
):
    stage(everything_denied)
    played = session.run_beside

    def only_the_tested(request: Request, *words: Any) -> int:
        if not Scene(request).tested:
            raise EngineError("container", "did not start: no space")
        return played(request, *words)

    monkeypatch.setattr(session, "run_beside", only_the_tested)
    code, said = run(agentbox, "file/cat")
    assert code == 3
    assert said["verdicts"][0]["why"].endswith("did not run: container: did not start: no space")


def test_a_container_under_test_that_does_not_start_is_agentboxs_failure(
    agentbox: Callable[..., Done], stage: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch
):
    stage(everything_denied)

    def fail(*_: Any) -> int:
        raise EngineError("container", "did not start: no space")

    monkeypatch.setattr(session, "run_beside", fail)
    done = agentbox("verify", "pi", "--only", "file/cat")
    assert (done.exit_code, done.stdout) == (125, "")
    assert done.stderr == ("agentbox: agentbox verify pi: nothing could be tried: container: did not start: no space\n")


def test_sandboxes_that_do_not_start_leave_nothing_in_the_audit(
    agentbox: Callable[..., Done], stage: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch, home: Path
):
    """The control: their records were there."""
    stage(everything_denied)
    seen: list[Path] = []

    def fail(request: Request, folder: Path, records: audit.Records, *_: Any) -> None:
        del request, folder
        seen.append(records.folder)
        assert records.folder.is_dir()
        raise EngineError("container", "did not start: no space")

    monkeypatch.setattr(session, "run_beside", RUN_BESIDE)
    monkeypatch.setattr(session, "compose_program", lambda: ["compose"])
    monkeypatch.setattr(session, "_lay_out", fail)
    assert "no space" in agentbox("verify", "pi", "--only", "file/cat").stderr
    assert seen
    assert not list((home / ".local/state/agentbox/audit").iterdir())


def test_what_a_container_printed_does_not_steer_the_terminal(
    agentbox: Callable[..., Done], stage: Callable[[Play], None], tmp_path: Path
):
    stage(lambda scene, attack: "\x1b]52;c;ZXZpbA==\x07\x1b[2J\ud800\n" + scene.secret())
    junit = tmp_path / "verify.xml"
    done = agentbox("verify", "pi", "--only", "file/cat", "--junit", str(junit))
    assert done.exit_code == 1
    assert "\x1b" not in done.output
    assert r"\x1b]52;c;" in done.output
    case = ElementTree.parse(junit).find(".//testcase[@name='cat']/failure")
    assert case is not None
    assert r"\x1b]52;c;" in str(case.text)


def test_table_and_junit_count_by_family_and_agent(
    agentbox: Callable[..., Done], stage: Callable[[Play], None], tmp_path: Path
):
    def play(scene: Scene, attack: Attack) -> str:
        return "" if attack.name == "no-options" or scene.tested else scene.secret()

    stage(play)
    junit = tmp_path / "verify.xml"
    words = ("--only", "file/cat", "--only", "node/no-options", "--junit", str(junit))
    done = agentbox("verify", "hermes", "pi", *words)
    assert done.exit_code == 3
    table = [re.split(r"  +", line) for line in done.stdout.splitlines()[:4]]
    assert table == [
        ["", "hermes", "pi"],
        ["file", "1/1 denied", "1/1 denied"],
        ["node", "0/1 denied, 1 not proven", "0/1 denied, 1 not proven"],
        ["all", "1/2 denied, 1 not proven", "1/2 denied, 1 not proven"],
    ]
    assert "not proven: pi: node/no-options: A child without NODE_OPTIONS" in done.stdout
    suites = ElementTree.parse(junit).findall("testsuite")
    assert [(each.get("name"), each.get("tests"), each.get("failures"), each.get("errors")) for each in suites] == [
        ("hermes", "2", "0", "1"),
        ("pi", "2", "0", "1"),
    ]


def test_a_report_that_cannot_be_written_is_told_before_anything_runs(agentbox: Callable[..., Done]):
    done = agentbox("verify", "pi", "--junit", "/nowhere/verify.xml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--junit /nowhere/verify.xml: No such file or directory" in done.stderr


def test_nothing_is_left_behind(agentbox: Callable[..., Done], stage: Callable[[Play], None], home: Path):
    stage(everything_denied)
    run(agentbox, "file/cat")
    assert list((home / ".local/state/agentbox-verify").iterdir()) == []


def test_agentbox_clean_knows_what_a_killed_one_leaves(home: Path, engine: Any, agentbox: Callable[..., Done]):
    engine.answers["GET /containers/json"] = (200, [])
    left = home / ".local/state/agentbox-verify/0123"
    left.mkdir(parents=True)
    (left / "owner").write_text(f"{2**22 + 1}:1:{socket.gethostname()}")
    done = agentbox("clean")
    assert done.exit_code == 0
    assert not left.exists()


def test_the_users_keys_are_no_part_of_it(
    agentbox: Callable[..., Done], stage: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch, home: Path
):
    """The container gets canaries, whatever the environment, a file or the keyring hold."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-the-user")
    (home / "key").write_text("sk-of-the-user-too")
    config = home / ".config/agentbox/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[[credential]]\nname = "OPENAI_API_KEY"\nhosts = ["api.openai.com"]\nfile = "{home}/key"\n')
    requests: list[Request] = []

    def play(scene: Scene, attack: Attack) -> str:
        requests.append(scene.request)
        return everything_denied(scene, attack)

    stage(play)
    run(agentbox, "file/cat")
    for request in requests:
        assert not any(
            "sk-of-the-user" in value for value in (*request.keys.values.values(), *request.private.values())
        )
        assert all(str(home / ".local/state/agentbox-verify") in each.host for each in request.policy.state)


def test_selection_without_an_attack_on_the_agent(agentbox: Callable[..., Done], stage: Callable[[Play], None]):
    stage(everything_denied)
    done = agentbox("verify", "hermes", "--only", "file/move-folder")
    assert done.exit_code == 2
    assert "names no attack on hermes" in done.stderr


def test_levels_and_exit_codes():
    def made(level: str) -> verdict.Verdict:
        return verdict.Verdict("pi", SHIPPED[0], level)

    levels = (verdict.DENIED, verdict.UNPROVEN, verdict.BREACH, verdict.REFUSED, verdict.UNCLAIMED)
    assert [verdict.exit_code([made(level)]) for level in levels] == [0, 3, 1, 0, 0]
    counted = "1/5 denied, 1 breach, 1 not proven, 1 refused by the kernel, 1 not claimed here"
    assert report.counts([made(level) for level in levels])[-1] == ("all", counted)
