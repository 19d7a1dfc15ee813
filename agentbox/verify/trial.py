"""One sandbox of verify: laid out, run to its end beside others, and every attack in it judged by what it left."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import stat
import string
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentbox import credentials, gitdir, githooks, hostenv, hostrun, mask
from agentbox.audit import Records
from agentbox.errors import AgentboxError, one_line
from agentbox.gitplan import Plan
from agentbox.identity import Identity
from agentbox.native.instance import moved
from agentbox.policy_model import Policy
from agentbox.request import Request
from agentbox.state import remove_tree
from agentbox.verify import world as worlds
from agentbox.verify.catalogue import PROGRAMS, Attack, tool_call
from agentbox.verify.grounds import Ground, Job
from agentbox.verify.listener import Listener
from agentbox.verify.outside import Model, model
from agentbox.verify.protections import UNKNOWN, Context, policy_without
from agentbox.verify.seeds import NO_NETWORK, SEEDS
from agentbox.verify.world import HIDDEN, INSIDE, Watch, World
from agentbox.workspace import Mount

PROGRAM_FOLDER = Path(__file__).resolve().parent / "inside"
PROGRAMS_INSIDE = ("start.sh", "runner.py", "play.py", "attack.py", "fake_model.py", "model_script.py")
RUNNER = f"{INSIDE}/runner.py"
POLL_SECONDS, SETTLE_SECONDS = 0.01, 0.3
TAIL = 300
# Proofs that lie in files of the host's, and families whose attacks do not get in each other's way.
WATCHED = ("changed", "unreported")
BESIDE = ("node", "network")


@dataclass(frozen=True, slots=True)
class Setting:
    """What all sandboxes of one agent have in common."""

    policy: Policy
    identity: Identity
    ground: Ground
    listener: Listener
    environ: dict[str, str]


@dataclass(slots=True)
class Outcome:
    """What came of one attack in one sandbox: whether it ran, whether it worked, what it printed, and what
    the kernel has against it."""

    ran: bool = False
    worked: bool = False
    output: str = ""
    kernel: str = ""


@dataclass(slots=True)
class Trial:
    """Attacks in one sandbox, which is without the protections `off`. With `agent` it is the agent's own shell tool
    that starts them; without, the sandbox is what `agentbox shell` gives, and a program of verify's own stands in for
    the agent's process. `network`: whether it needs one."""

    setting: Setting
    attacks: Sequence[Attack]
    off: frozenset[str]
    agent: bool
    network: bool
    root: Path
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failure: str = ""

    def run(self, stop: threading.Event, report: Callable[[Attack, Outcome], None]) -> None:
        """Fill `outcomes`; `failure` says what went wrong with the sandbox as a whole."""
        self.outcomes = {attack.path: Outcome() for attack in self.attacks}
        try:
            setting = self.setting
            played = model(setting.ground, self._mode(), with_agent=self.agent)
            policy = played.known_to(_common(setting.policy, setting.listener))
            world = worlds.build(self.root, policy, setting.identity, played.url)
            run_id = os.urandom(6).hex()
            bench = _Bench(self, world, played, run_id)
            bench.lay_out()
            request, context = self._request(world), self._context(world, run_id)
            job = Job(world, self.off, context, run_id, played.port if played.outside else 0)
            over = threading.Event()
            watcher = threading.Thread(target=bench.watch, args=(over, report), daemon=True)
            log = self.root / "log"
            watcher.start()
            try:
                with log.open("wb") as output, played.beside(world):
                    code = setting.ground.run(request, job, output, stop)
            finally:
                over.set()
                watcher.join()
            if missing := sum(not each.ran for each in self.outcomes.values()):
                self.failure = f"{missing} did not run: {self._said(log, code)}"
        except AgentboxError as error:
            self.failure = one_line(str(error))

    def _said(self, log: Path, code: int) -> str:
        text = log.read_text(errors="replace").strip() or f"the sandbox ended with {code}"
        return one_line(text[-TAIL:])

    def _mode(self) -> str:
        return policy_without(self.setting.policy, self.off).network.mode if self.network else "none"

    def _context(self, world: World, run_id: str) -> Context:
        listener = self.setting.listener
        secrets = self.setting.identity.secrets / run_id
        return Context(world.policy.agent, world.root, listener.network, listener.address, secrets)

    def _request(self, world: World) -> Request:
        setting, who, off = self.setting, self.setting.identity, self.off
        policy = policy_without(world.policy, off)
        policy = policy._replace(network=policy.network._replace(mode=self._mode()))
        seed = SEEDS[policy.agent]
        environ = setting.environ | {name: world.canary(prefix) for name, prefix in _keys(policy)}
        environ[UNKNOWN] = world.canary("unknown-")
        keys = credentials.find(policy, who, environ, [])
        extra = [
            *seed.extra,
            f"{HIDDEN}={world.canary('sk-hidden-')}",
            *(NO_NETWORK if policy.network.mode == "none" and not setting.ground.model_outside("none") else ()),
        ]
        environment, private = hostenv.environment(policy, environ, {}, extra, keys)
        plan, folders = self._git(policy, world), world.mounts
        masks = mask.find(policy.mask, folders, who, mask.Wish("masks" in off)).places
        if "user" in off:
            worlds.open_to_all(world.root)

        return Request(
            policy=policy,
            identity=who,
            mounts=[*folders, Mount(world.verify, INSIDE)],
            command=[*policy.command.argv, *seed.turn] if self.agent else _runner(setting.ground, world),
            environment=environment,
            private={**environ, **private},
            masks=masks,
            git=plan,
            keys=keys,
            ended=_forget,
        )

    def _git(self, policy: Policy, world: World) -> Plan:
        plan = gitdir.linked(world.mounts, self.setting.identity, [])
        if policy.hooks == "read":
            githooks.protect(plan, world.mounts, hostrun.look(world.mounts).repositories, [])
        return plan


def _common(policy: Policy, listener: Listener) -> Policy:
    """The user's policy, where a bound on memory is one that a control without it may break."""
    limits = policy.limits._replace(memory=min(policy.limits.memory, 1 << 30))
    return listener.known_to(policy._replace(limits=limits))


def _keys(policy: Policy) -> list[tuple[str, str]]:
    """The keys that the host's environment holds, made up: name and prefix."""
    return [(each.name, each.prefix) for each in policy.credentials if each.name in policy.env.secret]


def _runner(ground: Ground, world: World) -> list[str]:
    return ["python3", moved(RUNNER, ground.places(world))]


def _forget(records: Records) -> None:
    """What was masked or refused here is no news to the user."""
    remove_tree(records.folder)


class _Bench:
    """The attacks' files in the sandbox, and the host's side of the talk about them."""

    def __init__(self, trial: Trial, world: World, played: Model, run_id: str) -> None:
        self.trial, self.world, self.model, self.run_id = trial, world, played, run_id
        self.tokens = {attack.path: secrets.token_hex(8) for attack in trial.attacks}
        self.socket = world.canary("socket-")
        self.watches: dict[str, Watch] = {}
        self.before = hostrun.look(world.mounts)

    def lay_out(self) -> None:
        """Write what runner.py and play.py read."""
        place = self.world.verify
        for name in PROGRAMS_INSIDE:
            shutil.copyfile(PROGRAM_FOLDER / name, place / name)
        (place / "start.sh").chmod(0o755)
        # Hermes's tools find nothing before its terminal has run something.
        calls: list[dict[str, Any]] = [{"call": "shell", "command": "true", "timeout": 0}]
        listed: list[dict[str, Any]] = []
        for number, attack in enumerate(self.trial.attacks):
            environment = self._environment(attack)
            if attack.is_tool:
                calls.append({"number": number, **self._call(attack, environment)})
                continue
            listed.append(self._listed(attack, number, environment))
            self._watch(attack, number)
        timeout = SEEDS[self.world.policy.agent].timeout
        words = _runner(self.trial.setting.ground, self.world)
        shell = [{"call": "shell", "command": shlex.join(words), "timeout": timeout}] if listed else []
        (place / "plan.json").write_text(json.dumps({"attacks": listed, "environment": {}}))
        if self.trial.agent or "vault" in self.trial.off:
            script = {"port": self.model.port, "socket": self.socket, "name": self.run_id, "calls": [*calls, *shell]}
            script["stand_in"] = not self.trial.agent
            (self.model.folder(self.world) / "script.json").write_text(json.dumps(script))
        if curlrc := self.trial.setting.listener.curlrc:
            (place / ".curlrc").write_text(curlrc)
        for path in place.rglob("*"):
            path.chmod(0o755 if path.is_dir() or path.suffix == ".sh" else 0o644)
            worlds.own(path, self.world.identity)

    def _listed(self, attack: Attack, number: int, environment: dict[str, str]) -> dict[str, Any]:
        """An attack as runner.py knows it."""
        file = f"attack-{number}-{attack.name}{attack.kind}"
        (self.world.verify / file).write_text(attack.text)
        return {
            "number": number,
            "file": file,
            "program": self.trial.setting.ground.program(PROGRAMS[attack.kind]),
            "environment": environment,
            "beside": attack.family in BESIDE and attack.proof not in WATCHED,
            "kernel": attack.kernel,
        }

    def _call(self, attack: Attack, environment: dict[str, str]) -> dict[str, str]:
        verb, path = tool_call(attack) or ("read", "")
        self._watch(attack, self.trial.attacks.index(attack))
        return {"call": verb, "path": _filled(path, environment), "content": self.tokens[attack.path]}

    def _environment(self, attack: Attack) -> dict[str, str]:
        """What an attack knows by name, where that is in the sandbox."""
        setting, places = self.trial.setting, self.trial.setting.ground.places(self.world)
        names = {"SOCKET": self.run_id, "CURL_HOME": INSIDE} | self._names(attack) | setting.listener.names
        names |= setting.ground.names(self.world, self.run_id)
        return {name: moved(text, places) for name, text in names.items()}

    def _names(self, attack: Attack) -> dict[str, str]:
        policy = self.world.policy
        secret = self.world.places["SECRET"]
        names = {"AGENT": policy.agent, "STATE": policy.state[0].path, "SECRET_DIR": secret.rpartition("/")[0]}
        names |= {"WORK": "/workspace", "PUBLIC": "/workspace/public.txt", "TOKEN": self.tokens[attack.path]}
        names |= {"HIDDEN": HIDDEN, "PIDS": str(policy.limits.pids), "MEMORY": str(policy.limits.memory)}
        names |= {"COMMAND": policy.command.argv[0], "EXECUTABLE": policy.command.exe}
        keys = _keys(policy)
        names |= {"KEY": keys[0][0] if keys else ""}
        return {**names, **self.world.places}

    def _watch(self, attack: Attack, number: int) -> None:
        if attack.proof not in WATCHED:
            return
        path = self.world.on_host(_filled(attack.argument, self._names(attack)))
        if path is not None:
            self.watches[attack.path] = Watch(path, self.trial.root / f"kept-{number}")

    def watch(self, over: threading.Event, report: Callable[[Attack, Outcome], None]) -> None:
        """Judge each attack as soon as it is through; goes on until the sandbox is gone."""
        told: set[int] = set()
        while True:
            last = over.wait(POLL_SECONDS)
            for number, output, kernel in self._arrived(told):
                attack = self.trial.attacks[number]
                outcome = self.trial.outcomes[attack.path]
                outcome.ran, outcome.output, outcome.kernel = True, output, kernel
                outcome.worked = self._worked(attack, output)
                (self.world.verify / f"ack/{number}").touch()
                report(attack, outcome)
            if last:
                break
        over.wait(SETTLE_SECONDS)
        for attack in self.trial.attacks:
            if attack.proof == "arrived":
                self.trial.outcomes[attack.path].worked = self.trial.setting.listener.heard(self.tokens[attack.path])

    def _arrived(self, told: set[int]) -> Iterator[tuple[int, str, str]]:
        with suppress(OSError):
            for path in sorted((self.world.verify / "out").iterdir()):
                number = int(path.name) if path.name.isdigit() else len(self.trial.attacks)
                if number not in told and number < len(self.trial.attacks) and stat.S_ISREG(path.lstat().st_mode):
                    told.add(number)
                    with suppress(ValueError, KeyError):
                        found = json.loads(path.read_text())
                        yield number, str(found["output"]), one_line(str(found.get("kernel", "")))[:TAIL]

    def _worked(self, attack: Attack, output: str) -> bool:
        if attack.proof == "canary":
            return self.world.holds(output)
        if attack.proof == "output":
            return re.search(attack.argument, output, re.MULTILINE) is not None
        if attack.proof == "arrived":
            return self.trial.setting.listener.heard(self.tokens[attack.path])
        watch = self.watches.get(attack.path)
        if watch is None or not watch.changed():
            return False
        unreported = attack.proof == "changed" or not self._reported(watch.path)
        watch.restore()
        return unreported

    def _reported(self, path: Path) -> bool:
        """Whether the lines after a session name the file."""
        if "report" in self.trial.off:
            return False
        name = str(path.relative_to(self.world.workspace))
        return any(f" {name}" in line for line in hostrun.report(self.before, self.world.mounts))


def _filled(text: str, names: dict[str, str]) -> str:
    return string.Template(text).safe_substitute(names)
