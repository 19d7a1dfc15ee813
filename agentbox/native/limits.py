"""The bounds of a session, as words in front of what is started."""

from __future__ import annotations

from agentbox.policy_model import Limits


def words(limits: Limits, already: int = 0) -> list[str]:
    """agentbox-enter's options; `already` are processes that count and are not the session's."""
    return ["--limit", f"nproc={limits.pids + already}", "--limit", f"nofile={limits.nofile}", "--limit", "core=0"]
