"""Attacks an agent's container from inside, and the same container without the protection in question: the control.

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
from dataclasses import dataclass
from pathlib import Path

from agentbox import owner
from agentbox.compose import tag
from agentbox.engine import Engine, Facts
from agentbox.errors import EngineError
from agentbox.identity import Identity
from agentbox.policy_model import Policy
from agentbox.state import make_dir, remove_tree
from agentbox.verify.catalogue import Attack
from agentbox.verify.listener import Listener, listening
from agentbox.verify.trial import Outcome, Setting, Trial
from agentbox.verify.verdict import Verdict, judge

AT_ONCE = 4
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


def examine(plan: Plan, identity: Identity, engine: Engine, facts: Facts, progress: Progress) -> list[Verdict]:
    """Every attack of the plan, judged. Raises EngineError where the container under test does not start."""
    attacks = [attack for attack in plan.attacks if plan.policy.agent in attack.agents]
    if not attacks:
        return []
    with _folder(identity) as root, _listener(engine, plan.policy, identity, root) as listener:
        passed = {name: os.environ[name] for name in PASSED if name in os.environ}
        setting = Setting(plan.policy, identity, engine, facts, listener, passed)
        tested = Trial(setting, attacks, plan.off, agent=True, network=True, root=root / "tested")
        controls = list(_controls(setting, attacks, root))
        _run(
            [tested, *controls],
            lambda trial, attack, outcome: progress(plan.policy.agent, attack, trial is not tested, outcome),
        )
    if tested.failure and not any(each.ran for each in tested.outcomes.values()):
        raise EngineError(f"agentbox verify {plan.policy.agent}", f"nothing could be tried: {tested.failure}")
    return [judge(plan.policy.agent, attack, tested, _control_of(attack, controls)) for attack in attacks]


def _controls(setting: Setting, attacks: Sequence[Attack], root: Path) -> Iterator[Trial]:
    """One container for each set of protections that an attack runs into."""
    groups: dict[frozenset[str], list[Attack]] = defaultdict(list)
    for attack in attacks:
        groups[attack.stopped_by].append(attack)
    # Those with an agent in them take longest. It is needed where its own tools are the attackers.
    order = sorted(groups.items(), key=lambda item: (not any(each.is_tool for each in item[1]), -len(item[1])))
    for number, (off, group) in enumerate(order):
        agent = any(attack.is_tool for attack in group)
        yield Trial(setting, group, off, agent, network=bool(off & ONLINE), root=root / f"control-{number}")


def _control_of(attack: Attack, controls: Sequence[Trial]) -> Trial:
    return next(trial for trial in controls if attack in trial.attacks)


def _run(trials: Sequence[Trial], report: Callable[[Trial, Attack, Outcome], None]) -> None:
    """All of them, some at a time. An interruption ends those that run and starts no other."""
    stop = threading.Event()

    def one(trial: Trial) -> None:
        if not stop.is_set():
            trial.run(stop, lambda attack, outcome: report(trial, attack, outcome))

    with ThreadPoolExecutor(min(AT_ONCE, (os.cpu_count() or 1) + 1)) as pool:
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


@contextmanager
def _listener(engine: Engine, policy: Policy, identity: Identity, root: Path) -> Iterator[Listener]:
    with listening(engine, tag(identity, policy.agent), identity, root / "listener") as found:
        yield found
