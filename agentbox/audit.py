"""What the brokers wrote down: one line of JSON for each decision, in a directory for each run of an agent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentbox.identity import Identity

FILES = ("audit.jsonl.1", "audit.jsonl")  # the older part first


def folder(identity: Identity) -> Path:
    return identity.own_state / "audit"


def decisions(identity: Identity, agent: str | None = None, verdict: str = "deny") -> Iterator[dict[str, Any]]:
    """The lines with `verdict`, oldest first. A line that is none, half written at a crash, is passed over."""
    try:
        runs = sorted(folder(identity).iterdir())
    except OSError:
        return
    for run in runs:
        for name in FILES:
            for line in _lines(run / name):
                if line.get("verdict") == verdict and agent in (None, line.get("agent")):
                    yield line


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return
    for raw in text.splitlines():
        try:
            found = json.loads(raw)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found


def refused_hosts(identity: Identity) -> list[str]:
    """The hosts that were refused, as `agentbox allow` takes them, the latest first."""
    found = [_written(line) for line in decisions(identity)]
    return list(dict.fromkeys(host for host in reversed(found) if host))


def _written(line: dict[str, Any]) -> str:
    host, port = line.get("host"), line.get("port")
    if not isinstance(host, str) or not host.isprintable():
        return ""
    host = f"[{host}]" if ":" in host else host
    return host if port in (80, 443, None) else f"{host}:{port}"
