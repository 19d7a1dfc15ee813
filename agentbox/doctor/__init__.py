"""Looks for what keeps agents from running, or from being contained. One module for each group of findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from agentbox.doctor import (
    authorities,
    configuration,
    credentials,
    engine,
    host,
    images,
    kernel,
    leftovers,
    native,
    programs,
    state,
)
from agentbox.doctor.finding import ERROR, Finding, World
from agentbox.errors import AgentboxError

UNKNOWN = "what it looks for is not known"
Check = Callable[[World], Iterator[Finding]]

# By group, in the order in which they are shown. They do not depend on each other.
CHECKS: dict[str, Check] = {
    "engine": engine.check,
    "native": native.check,
    "programs": programs.check,
    "kernel": kernel.check,
    "images": images.check,
    "host": host.check,
    "certificates": authorities.check,
    "configuration": configuration.check,
    "state": state.check,
    "credentials": credentials.check,
    "leftovers": leftovers.check,
}


def examine(world: World) -> list[Finding]:
    """Every finding. A check that fails is a finding too, and keeps no other from being made."""
    with ThreadPoolExecutor(4) as pool:
        groups = pool.map(lambda group: _findings(group, CHECKS[group], world), CHECKS)
        return [finding for group in groups for finding in group]


def repair(findings: list[Finding]) -> list[str]:
    """Do what can do no harm. Returns what was done."""
    return [text for finding in findings if finding.repair and (text := finding.repair())]


def _findings(group: str, check: Check, world: World) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check(world))
    except AgentboxError as error:
        found.append(Finding(f"{group}.failed", ERROR, str(error), UNKNOWN, error.hint or "call agentbox doctor again"))
    except PermissionError as error:
        what, fix = f"{error.filename}: {error.strerror}", f"make it yours to read: ls -ld {error.filename}"
        found.append(Finding(f"{group}.failed", ERROR, what, UNKNOWN, fix))
    except Exception as error:  # whatever a broken machine throws: a doctor does not die of his patient's disease
        what = f"this check itself failed: {type(error).__name__}: {error}"
        found.append(Finding(f"{group}.failed", ERROR, what, UNKNOWN, "report this as a bug of agentbox"))
    return found
