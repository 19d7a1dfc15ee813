"""From what came of an attack, with and without a protection, to a verdict; from verdicts to an exit code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agentbox.errors import one_line
from agentbox.verify.catalogue import Attack
from agentbox.verify.trial import Trial

DENIED, BREACH, UNPROVEN = "denied", "breach", "not proven"
# The kernel does not let anybody do that here: there is nothing for agentbox to stop, and nothing to be shown.
REFUSED = "refused by the kernel"
# What this engine does not claim to stop: not tried.
UNCLAIMED = "not claimed here"
LEVELS = (DENIED, BREACH, UNPROVEN, REFUSED, UNCLAIMED)
SHOWN = 400


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` says what is behind a verdict that is not `denied`; `output` is what the attack printed, on one line."""

    agent: str
    attack: Attack
    level: str
    why: str = ""
    output: str = ""


def judge(agent: str, attack: Attack, tested: Trial, control: Trial) -> Verdict:
    """The verdict on one attack."""
    here, there = tested.outcomes[attack.path], control.outcomes[attack.path]
    output = one_line(here.output.strip())[-SHOWN:]
    if here.worked:
        return Verdict(agent, attack, BREACH, f"it works; {attack.protections} should stop it", output)
    if not here.ran:
        return Verdict(agent, attack, UNPROVEN, f"it did not run: {tested.failure}")
    if not there.ran:
        return Verdict(
            agent, attack, UNPROVEN, f"the control, without {attack.protections}, did not run: {control.failure}"
        )
    if not there.worked and there.kernel:
        return Verdict(agent, attack, REFUSED, f"it fails without {attack.protections} too: {there.kernel}")
    if not there.worked:
        said = one_line(there.output.strip())[-SHOWN:]
        return Verdict(agent, attack, UNPROVEN, f"it fails without {attack.protections} too", said)
    return Verdict(agent, attack, DENIED, output=output)


def unclaimed(agent: str, attack: Attack, why: str) -> Verdict:
    """The verdict on what was not tried."""
    return Verdict(agent, attack, UNCLAIMED, why)


def exit_code(verdicts: Iterable[Verdict]) -> int:
    levels = {each.level for each in verdicts}
    return 1 if BREACH in levels else 3 if UNPROVEN in levels else 0
