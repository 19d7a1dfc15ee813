"""Attacks an agent's sandbox from inside, and the same sandbox without the protection in question: the control.

An attack counts as denied where it fails with the protection and works without. One that works with it is a breach;
one that does not work without it has proven nothing.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from agentbox import authority, owner
from agentbox.errors import EngineError
from agentbox.identity import Identity
from agentbox.policy_model import Policy
from agentbox.state import make_dir, remove_tree
from agentbox.verify.catalogue import Attack
from agentbox.verify.grounds import Ground
from agentbox.verify.trial import Outcome, Setting, Trial
from agentbox.verify.verdict import Verdict, judge, unclaimed

VAULT = frozenset({"vault"})
# Without a network these controls could not show anything.
ONLINE = frozenset({"network", "keys"})
# Taken over from the host's own environment. The keys that it holds are none of them.
PASSED = ("PARANOID_MODE", "TERM", "LANG")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be tried on one agent. `off` are protections that the set-up under test shall lack: for tests."""

    policy: Policy
    attacks: Sequence[Attack]
    off: frozenset[str] = frozenset()


Progress = Callable[[str, Attack, bool, Outcome], None]  # agent, attack, whether in a control, what came of it


def examine(plan: Plan, identity: Identity, ground: Ground, progress: Progress) -> list[Verdict]:
    """Every attack of the plan, judged. Raises EngineError where the sandbox under test does not start."""
    agent = plan.policy.agent
    mine = [attack for attack in plan.attacks if agent in attack.agents and ground.name in attack.engines]
    reasons = {attack.path: why for attack in mine if (why := ground.unclaimed(attack))}
    attacks = [attack for attack in mine if attack.path not in reasons]
    left = [unclaimed(agent, attack, reasons[attack.path]) for attack in mine if attack.path in reasons]
    if not attacks:
        return left
    with _folder(identity) as root, ground.listening(plan.policy, identity, root / "listener") as listener:
        passed = {name: os.environ[name] for name in PASSED if name in os.environ}
        setting = Setting(plan.policy, identity, ground, listener, passed)
        authority.folder(identity)  # now, and not by several at a time
        tested = list(_tested(setting, attacks, plan.off, root))
        controls = list(_controls(setting, attacks, root))
        _run(
            [*tested, *controls],
            lambda trial, attack, outcome: progress(agent, attack, trial not in tested, outcome),
            ground.at_once,
        )
    if not any(each.ran for trial in tested for each in trial.outcomes.values()):
        raise EngineError(f"agentbox verify {agent}", f"nothing could be tried: {tested[0].failure}")
    judged = [judge(agent, attack, _of(attack, tested), _of(attack, controls)) for attack in attacks]
    return [*judged, *left]


def _tested(setting: Setting, attacks: Sequence[Attack], off: frozenset[str], root: Path) -> Iterator[Trial]:
    """The sandbox as it is; and, for attacks where the agent itself stands, the same without the vault inside it."""
    groups = [
        ("tested", off, [attack for attack in attacks if not attack.by_agent]),
        ("tested-by-agent", off | VAULT, [attack for attack in attacks if attack.by_agent]),
    ]
    for name, lacks, group in groups:
        if group:
            place = replace(setting, ground=setting.ground.without(lacks))
            yield Trial(place, group, lacks, agent=name == "tested", network=True, root=root / name)


def _controls(setting: Setting, attacks: Sequence[Attack], root: Path) -> Iterator[Trial]:
    """One sandbox for each set of protections that an attack runs into."""
    groups: dict[frozenset[str], list[Attack]] = defaultdict(list)
    for attack in attacks:
        groups[setting.ground.off(attack) | (VAULT if attack.by_agent else frozenset())].append(attack)
    order = sorted(groups.items(), key=lambda item: (not _needs_agent(*item), -len(item[1])))  # that takes longest
    for number, (off, group) in enumerate(order):
        agent = _needs_agent(off, group)
        network = setting.ground.online or bool(off & ONLINE)
        place = replace(setting, ground=setting.ground.without(off))
        yield Trial(place, group, off, agent, network, root=root / f"control-{number}")


def _needs_agent(off: frozenset[str], group: Sequence[Attack]) -> bool:
    """Where its own tools are the attackers, or what guards it from within is attacked."""
    return "guard" in off or any(attack.is_tool for attack in group)


def _of(attack: Attack, trials: Sequence[Trial]) -> Trial:
    return next(trial for trial in trials if attack in trial.attacks)


def _run(trials: Sequence[Trial], report: Callable[[Trial, Attack, Outcome], None], at_once: int) -> None:
    """All of them, some at a time. An interruption ends those that run and starts no other."""
    stop = threading.Event()

    def one(trial: Trial) -> None:
        if not stop.is_set():
            trial.run(stop, lambda attack, outcome: report(trial, attack, outcome))

    with ThreadPoolExecutor(min(at_once, (os.cpu_count() or 1) + 1)) as pool:
        try:
            for future in as_completed([pool.submit(one, trial) for trial in trials]):
                future.result()
        finally:
            stop.set()


@contextmanager
def _folder(identity: Identity) -> Iterator[Path]:
    """A folder of this run's; `agentbox clean` removes it after a crash."""
    root = make_dir(owner.verify_root(identity) / os.urandom(6).hex(), identity)
    (root / "owner").write_text(owner.current())
    try:
        yield root
    finally:
        remove_tree(root)
