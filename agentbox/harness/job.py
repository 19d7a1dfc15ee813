"""One installation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentbox.policy_model import Policy


@dataclass(frozen=True, slots=True)
class Job:
    """Install `policy`'s version into the folder `root`, with downloads in `store`; `tell` gets lines for a person."""

    policy: Policy
    root: Path
    store: Path
    tell: Callable[[str], None]

    @property
    def title(self) -> str:
        return f"{self.policy.agent} {self.policy.package.version}"

    def report(self, text: str) -> None:
        self.tell(f"{self.title}: {text}")
